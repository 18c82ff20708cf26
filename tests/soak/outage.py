"""etcd away for 10 minutes under traffic: `tests/integration/test_mesh_outage.py` for long.

make soak NAME=outage
"""

import argparse
import os
import sys

import pytest

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make soak NAME=outage", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    asked = parser.parse_args()
    os.environ["REMESH_SOAK_OUTAGE_S"] = str(asked.seconds)
    sys.exit(pytest.main(["-s", "tests/integration/test_mesh_outage.py"]))
