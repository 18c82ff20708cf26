"""Messages and services, generated from `protos/` by `make stubs`; committed, never edited."""
