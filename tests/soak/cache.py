"""The cache under load for long: `tests/integration/test_cache_in_use.py` with ten times its requests.

make soak NAME=cache
"""

import os
import sys

import pytest

if __name__ == "__main__":
    os.environ["REMESH_SOAK_REQUESTS"] = "20000"
    sys.exit(pytest.main(["-s", "--timeout=3600", "tests/integration/test_cache_in_use.py"]))
