"""Hostile peers against the relay's core for ten minutes: `tests/integration/test_relay_fuzz.py` for long.

make soak NAME=fuzz
make soak NAME=fuzz ARGS='--seconds 60 --seed 3'
"""

import argparse
import os
import random
import sys

import pytest

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make soak NAME=fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="default: one by chance")
    asked = parser.parse_args()
    os.environ["REMESH_FUZZ_S"] = str(asked.seconds)
    os.environ["REMESH_SEED"] = str(asked.seed)
    sys.exit(pytest.main(["-s", "tests/integration/test_relay_fuzz.py"]))
