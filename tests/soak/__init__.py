"""The long forms of tests, behind `make soak NAME=...`; each prints what it saw and fails by its status."""
