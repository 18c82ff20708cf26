"""100,000 random calls through the relay and direct: `tests/integration/test_relay_differential.py` for long.

make soak NAME=differential
make soak NAME=differential ARGS='--seed 3 --only 17'
"""

import argparse
import os
import random
import sys

import pytest

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make soak NAME=differential", description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="default: one by chance")
    parser.add_argument("--only", type=int, metavar="CALL", help="this call of the seed alone")
    asked = parser.parse_args()
    sys.stdout.write(f"seed {asked.seed}\n")
    os.environ["REMESH_SEED"] = str(asked.seed)
    os.environ["REMESH_SOAK_CALLS"] = str(asked.calls)
    if asked.only is not None:
        os.environ["REMESH_SOAK_ONLY"] = str(asked.only)
    sys.exit(pytest.main(["-s", "--timeout=7200", "tests/integration/test_relay_differential.py"]))
