"""A command for each measure: `make bench NAME=density ARGS=--quick`.

Owns   the figures that the documentation quotes; peers and ours are measured in one run.
Read   harness (what they share), then one module for each bench.
"""
