"""20 kills of the controller while models come, change and go, and 5 takeovers by another.

`tests/integration/test_controller_kills.py` for long.

make soak NAME=controller
"""

import argparse
import os
import sys

import pytest

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make soak NAME=controller", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--takeovers", type=int, default=5)
    asked = parser.parse_args()
    os.environ["REMESH_SOAK_KILLS"] = str(asked.kills)
    os.environ["REMESH_SOAK_TAKEOVERS"] = str(asked.takeovers)
    sys.exit(pytest.main(["-s", "tests/integration/test_controller_kills.py"]))
