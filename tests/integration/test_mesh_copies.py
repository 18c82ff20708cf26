"""How many copies there are: more for a burst, as many as a registration asks for, and a pinned one stays."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from adapter.stubs.mmesh import model_mesh_pb2 as mm
from bench.mesh.clients import Asking, Registering
from tests.integration.asking import Client
from tests.integration.meshes import Mesh, a_mesh, wait_until

RPM_MAX = 1200
"""`MM_SCALEUP_RPM_THRESHOLD`: 20 a second."""
BELOW, BURST = 12.0, 120.0
"""Calls a second; the second is 10 times the first, and 6 times what one copy is for."""
FURTHER_S_MAX = 4.0
"""A further copy serves within 2 s of the rate crossing the threshold; as much again for a busy machine."""
CAPACITY_BYTES = 64 << 20
BIG = f"SIZE_{20 << 20}_0_0"
SOON_S = 10.0

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """3 instances with little memory."""
    folder, flags = tmp_path_factory.mktemp("three"), (f"-capacity={CAPACITY_BYTES}",)
    settings = {"REMESH_LEASE_S": "2", "MM_SCALEUP_RPM_THRESHOLD": str(RPM_MAX)}
    with a_mesh(folder, size=3, runtime_flags=flags, **settings) as mesh:
        yield mesh


@pytest.fixture(scope="module")
def clients(three: Mesh) -> Iterator[list[Client]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Client.of(address)) for address in three.addresses]


def holders(mesh: Mesh, model: str) -> set[str]:
    return {name for name, models in mesh.held().items() if model in models}


def test_a_burst_is_given_a_further_copy(three: Mesh) -> None:
    three.register(Registering(models=1))
    assert len(holders(three, "m0")) == 1
    with three.asked(Asking(models=1, rate=BELOW)) as calm:
        calm.go_on(4.0)
        quiet = calm.end()
    assert len(holders(three, "m0")) == 1, "a copy was added although one was enough"
    with three.asked(Asking(models=1, rate=BURST)) as traffic:
        began_s = time.monotonic()
        wait_until(lambda: len(holders(three, "m0")) > 1, SOON_S, lambda: "no further copy")
        took_s = time.monotonic() - began_s
        traffic.go_on(2.0)
        burst = traffic.end()
    sys.stdout.write(f"a further copy after {took_s:.1f} s\n")
    assert took_s < FURTHER_S_MAX
    assert (quiet.failed, burst.failed, burst.wrong) == (0, 0, 0), burst.described
    assert len(burst.runtimes) > 1, "the further copy answered nothing"


@pytest.mark.parametrize("through", [0, 1, 2])
def test_as_many_copies_are_loaded_as_the_registration_asks_for(
    three: Mesh, clients: list[Client], through: int
) -> None:
    model = f"two-copies-{through}"
    clients[through].register(model, min_copies=2)
    wait_until(lambda: len(holders(three, model)) == 2, SOON_S, lambda: str(three.held()))
    three.settle()


def test_a_copy_that_is_lost_is_replaced(three: Mesh, clients: list[Client]) -> None:
    clients[0].register("kept-twice", min_copies=2)
    wait_until(lambda: len(holders(three, "kept-twice")) == 2, SOON_S, lambda: str(three.held()))
    lost = min(holders(three, "kept-twice"))
    [member] = [member for member in three.members.values() if member.name == lost]
    member.restart()
    wait_until(lambda: len(holders(three, "kept-twice")) == 2, SOON_S, lambda: str(three.held()))


def test_no_more_copies_are_added_than_allowed(three: Mesh, clients: list[Client]) -> None:
    three.register(Registering(models=1, first=1))
    clients[0].register("m1", "stub", max_copies=1)
    with three.asked(Asking(models=1, first=1, rate=BURST)) as traffic:
        traffic.go_on(4.0)
        verdict = traffic.end()
    assert verdict.failed == 0, verdict.described
    assert len(holders(three, "m1")) == 1


def test_a_pinned_copy_stays_when_others_need_the_room(three: Mesh, clients: list[Client]) -> None:
    clients[0].register("pinned", BIG, load=True, pin=True)
    [holder] = holders(three, "pinned")
    for number in range(12):
        clients[0].register(f"passing-{number}", BIG)
        clients[0].ask(f"passing-{number}")
    assert holders(three, "pinned") == {holder}
    assert holders(three, "passing-0") == set(), "nothing was evicted"
    assert clients[0].status("pinned").status == mm.ModelStatusInfo.LOADED
