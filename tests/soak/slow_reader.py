"""Streams of 1 GiB to readers that stop: `tests/integration/test_relay_slow_reader.py` for long.

make soak NAME=slow_reader
"""

import os
import sys

import pytest

if __name__ == "__main__":
    os.environ["REMESH_SOAK_MIB"] = "1024"
    sys.exit(pytest.main(["-s", "tests/integration/test_relay_slow_reader.py"]))
