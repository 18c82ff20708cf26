"""A runtime that hangs in a load, lies about a size, or ends at one model: what clients of the mesh see of it."""

from collections.abc import Iterator
from contextlib import ExitStack

import grpc
import pytest

from adapter.stubs.mmesh import model_mesh_pb2 as mm
from bench.mesh.clients import Asking, Registering
from bench.mesh.stub import CRASHED
from tests.integration.asking import QUICK, Client
from tests.integration.meshes import Member, Mesh, a_mesh, wait_until

LOAD_TIMEOUT_S = 2.0
"""`modelLoadingTimeoutMs` of the runtimes."""
CAPACITY_BYTES = 1 << 30
SOON_S = 10.0
LOADED = Asking(models=30, rate=60)
FLAGS = (f"-load-timeout={LOAD_TIMEOUT_S}s", f"-capacity={CAPACITY_BYTES}")
NAMES = mm.ModelStatusInfo.ModelStatus.Name

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """3 instances with 30 models, all of them loaded."""
    folder = tmp_path_factory.mktemp("three")
    with a_mesh(folder, size=3, runtime_flags=FLAGS, REMESH_LEASE_S="2") as mesh:
        mesh.register(Registering(models=LOADED.models))
        yield mesh


@pytest.fixture(scope="module")
def clients(three: Mesh) -> Iterator[list[Client]]:
    """One of each instance."""
    with ExitStack() as stack:
        yield [stack.enter_context(Client.of(address)) for address in three.addresses]


def test_a_load_that_hangs_is_given_up_and_harms_nobody(three: Mesh, clients: list[Client]) -> None:
    client = clients[0]
    client.register("hangs", "HANG")
    with three.asked(LOADED) as traffic:
        reply = client.ask("hangs")
        beside = client.register("beside", load=True)
        again = client.ask("hangs")
        verdict = traffic.end()
    assert (verdict.failed, verdict.wrong) == (0, 0), verdict.described
    assert verdict.max_ms < 1e3 * LOAD_TIMEOUT_S, verdict.described
    assert NAMES(beside.status) == "LOADED"
    assert reply.code == "DEADLINE_EXCEEDED", reply
    assert f"within {LOAD_TIMEOUT_S:g} s" in reply.text, reply
    assert LOAD_TIMEOUT_S <= reply.took_s < LOAD_TIMEOUT_S * (len(clients) + 1), "it was not tried elsewhere"
    assert again.took_s < LOAD_TIMEOUT_S, "the failure was not remembered"
    status = client.status("hangs")
    assert NAMES(status.status) == "LOADING_FAILED"
    assert len(status.modelCopyInfos) == len(clients), status
    three.settle()


@pytest.mark.parametrize(
    ("told_bytes", "measured_bytes"),
    [pytest.param(1 << 50, 1 << 50, id="a petabyte"), pytest.param(1 << 62, 1 << 62, id="absurd")],
)
def test_a_size_beyond_all_memory_fails_that_model_alone(
    three: Mesh, clients: list[Client], told_bytes: int, measured_bytes: int
) -> None:
    model = f"lies-{told_bytes}"
    with three.asked(LOADED) as traffic:
        clients[0].register(model, f"LIE_{told_bytes}")
        first = clients[0].ask(model)
        second = clients[1].ask(model)
        verdict = traffic.end()
    print(first, second, clients[0].explain(model))
    assert (verdict.failed, verdict.wrong) == (0, 0), verdict.described
    three.settle()


def restarted(member: Member) -> None:
    """Wait until a model has ended the runtime; start it again, as its container would be."""
    child = member.runtime.child
    assert child is not None
    assert child.wait(SOON_S) == CRASHED
    member.runtime.start()


def test_a_model_that_ends_two_runtimes_is_quarantined(three: Mesh, clients: list[Client]) -> None:
    before = three.held()
    clients[0].register("crashes", "CRASH")
    with three.asked(LOADED) as traffic, ExitStack() as stack:
        stack.callback(lambda: None)
        reply = clients[0].ask("crashes", deadline_s=5)
        ended = [member for member in three.members.values() if not member.runtime.is_running]
        for member in ended:
            restarted(member)
        verdict = traffic.end()
    print(reply, [m.name for m in ended], verdict.described)
    print(clients[1].explain("crashes"))
    print(before.keys())
