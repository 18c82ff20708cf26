"""Random calls have the same answer through the relay as from the runtime itself.

`make soak NAME=differential` makes 100,000; `ARGS='--seed 3 --only 17'` makes one of them again.
"""

import os
from collections.abc import Iterator

import pytest

from tests.integration import certificates
from tests.integration.clients import meshes
from tests.integration.clients.cases import MODEL_LOST
from tests.integration.clients.differential import Differential, channels_to
from tests.integration.clients.meshes import Door

SEED = int(os.environ.get("REMESH_SEED", "1"))
CALLS = int(os.environ.get("REMESH_SOAK_CALLS", "2000"))
ONLY = os.environ.get("REMESH_SOAK_ONLY")

Ways = tuple[Door, Door]


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    """The runtime itself, and an instance before it."""
    made = certificates.make(tmp_path_factory.mktemp("certificates"))
    with (
        meshes.echo_runtime(tmp_path_factory.mktemp("runtime"), made) as runtime,
        meshes.relay(tmp_path_factory.mktemp("instance"), runtime, made) as door,
    ):
        meshes.register(door, MODEL_LOST)
        yield runtime.doors["tcp"], door


def test_random_calls_are_answered_as_the_runtime_answers(ways: Ways) -> None:
    direct, relayed = ways
    with channels_to(direct.target) as to_runtime, channels_to(relayed.target) as to_relay:
        both = Differential(direct=to_runtime, relayed=to_relay)
        numbers = [int(ONLY)] if ONLY else range(CALLS)
        both.run(SEED, numbers)
    again = "make soak NAME=differential ARGS='--seed SEED --only CALL' makes one again"
    assert not both.differences, "\n".join([*both.differences, again])
    assert both.made == len(numbers)
