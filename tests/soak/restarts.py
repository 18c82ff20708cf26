"""20 kills and 5 rolling restarts of five instances: `tests/integration/test_mesh_restarts.py` for long.

And what both take in ModelMesh's shape: `tests/integration/test_mesh_in_numbers.py`.

make soak NAME=restarts
"""

import argparse
import os
import sys

import pytest

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make soak NAME=restarts", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--restarts", type=int, default=5, help="of all instances")
    asked = parser.parse_args()
    os.environ["REMESH_SOAK_KILLS"] = str(asked.kills)
    os.environ["REMESH_SOAK_RESTARTS"] = str(asked.restarts)
    os.environ["REMESH_SOAK_NUMBERS"] = "1"
    tests = ["tests/integration/test_mesh_restarts.py", "tests/integration/test_mesh_in_numbers.py"]
    sys.exit(pytest.main(["-s", *tests]))
