"""10,000 calls while their runtime is killed: `tests/integration/test_relay_upstreams.py` for long.

make soak NAME=upstreams
"""

import os
import sys

import pytest

if __name__ == "__main__":
    os.environ["REMESH_SOAK_CALLS"] = "10000"
    sys.exit(pytest.main(["-s", "tests/integration/test_relay_upstreams.py"]))
