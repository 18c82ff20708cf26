"""Hostile peers against the relay's core, for a while; `make soak NAME=fuzz` for ten minutes."""

import os
import random
import sys
import time

import pytest

from tests.fakes.relay_fuzz import batch

SECONDS = float(os.environ.get("REMESH_FUZZ_S") or (60 if os.environ.get("CI") else 10))
SEED = int(os.environ.get("REMESH_SEED") or random.randrange(1 << 32))


@pytest.mark.timeout(SECONDS + 300)
def test_whatever_comes_the_relay_keeps_its_books_and_serves_the_others() -> None:
    cases, number, until_s = 0, SEED, time.monotonic() + SECONDS
    while time.monotonic() < until_s:
        sys.stdout.write(f"batch {number} after {cases} cases; REMESH_SEED={number} begins with it\n")
        cases += batch(number)
        number += 1
    sys.stdout.write(f"{cases} cases, and nothing was found\n")
