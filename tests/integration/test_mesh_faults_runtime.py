"""A runtime that hangs in a load, lies about a size, or ends at one model: what clients see of it."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from adapter.stubs.mmesh import model_mesh_pb2 as mm
from bench.mesh.clients import Asking, Registering
from bench.mesh.stub import CRASHED
from tests.integration.asking import QUICK, Client
from tests.integration.meshes import LOOKING_EVERY_S, Mesh, a_mesh, wait_until

LOAD_TIMEOUT_S = 2.0
"""`modelLoadingTimeoutMs` of the runtimes."""
CAPACITY_BYTES = 1 << 30
SOON_S = 10.0
LOADED = Asking(models=30, rate=60)
CRASHES = "SIZE_1000_200_0/CRASH"
"""The runtime ends after some time."""
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
    assert reply.code == "INTERNAL", reply
    assert f"within {LOAD_TIMEOUT_S:g} s" in reply.text, reply
    assert LOAD_TIMEOUT_S <= reply.took_s < LOAD_TIMEOUT_S * (len(clients) + 1), "it was not tried elsewhere"
    assert again.took_s < LOAD_TIMEOUT_S, "the failure was not remembered"
    status = client.status("hangs")
    assert NAMES(status.status) == "LOADING_FAILED"
    assert len(status.modelCopyInfos) == len(clients), status
    three.settle()


@pytest.mark.parametrize("told_bytes", [1 << 50, (1 << 63) - 1], ids=["a petabyte", "all there is"])
def test_a_size_beyond_all_memory_fails_that_model_alone(
    three: Mesh, clients: list[Client], told_bytes: int
) -> None:
    model, before = f"lies-{told_bytes}", three.held()
    with three.asked(LOADED) as traffic:
        clients[0].register(model, f"LIE_{told_bytes}")
        replies = [client.ask(model) for client in clients]
        verdict = traffic.end()
    assert (verdict.failed, verdict.wrong) == (0, 0), verdict.described
    assert {reply.code for reply in replies} == {"OUT_OF_RANGE"}, replies
    assert str(told_bytes) in replies[0].text, "the text does not tell the size"
    wait_until(lambda: three.held() == before, SOON_S, lambda: f"{three.held()} is not as before: {before}")
    three.settle()


def test_a_model_without_a_size_is_served(three: Mesh, clients: list[Client]) -> None:
    clients[0].register("weightless", "SIZE_0_0_0/LIE_0")
    assert all(client.ask("weightless").is_ok for client in clients)
    three.settle()


def test_a_model_that_ends_runtimes_is_quarantined_after_two(three: Mesh, clients: list[Client]) -> None:
    asked_for = {f"m{number}" for number in range(LOADED.models)}
    client = clients[0]
    client.register("crashes", CRASHES)
    with three.asked(LOADED) as traffic:
        with restarted_when_ended(three) as ended:
            reply = client.ask("crashes")
            wait_until(lambda: all_held(three) >= asked_for, SOON_S, lambda: str(asked_for - all_held(three)))
            again = [client.ask("crashes") for client in clients]
        verdict = traffic.end()
    assert len(ended) == 2, f"it ended {ended}"
    assert (verdict.failed, verdict.wrong) == (0, 0), verdict.described
    for refused in (reply, *again):
        assert refused.code == "FAILED_PRECONDITION", refused
        assert "quarantined" in refused.text, refused
    told = clients[2].explain("crashes")
    assert told.state == "quarantined", told
    # Registered anew, its files mended, it is tried again.
    client.unregister("crashes")
    client.register("crashes", QUICK)
    wait_until(lambda: client.ask("crashes").is_ok, SOON_S, lambda: f"{client.ask('crashes')}")
    three.settle()


def all_held(mesh: Mesh) -> set[str]:
    """What the runtimes hold together; nothing while one of them starts."""
    try:
        return set().union(*mesh.held().values())
    except OSError:
        return set()


@contextmanager
def restarted_when_ended(mesh: Mesh) -> Iterator[list[str]]:
    """Runtimes that a model ends are started again, as their containers would be; which were."""
    ended, over = list[str](), threading.Event()

    def look() -> None:
        while not over.wait(LOOKING_EVERY_S):
            for member in mesh.members.values():
                runtime = member.runtime
                if not runtime.is_running:
                    assert runtime.child is not None
                    assert runtime.child.returncode == CRASHED, runtime.said
                    ended.append(member.name)
                    runtime.start()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield ended
    finally:
        over.set()
        thread.join()
