"""Aliases on a mesh, under traffic: where they go while they move, to a canary, and to a shadow."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from adapter.stubs.mmesh import model_mesh_pb2 as mm
from tests.integration.asking import Client, Reply
from tests.integration.meshes import Mesh, a_mesh, wait_until

SLOW = "SIZE_1000_1500_0"
"""Its load takes so long that calls come meanwhile."""
SOON_S = 10.0
DEFINED = mm.VModelStatusInfo.DEFINED
TRANSITIONING = mm.VModelStatusInfo.TRANSITIONING

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with a_mesh(tmp_path_factory.mktemp("two"), size=2, REMESH_LEASE_S="2") as mesh:
        yield mesh


@pytest.fixture(scope="module")
def clients(two: Mesh) -> Iterator[list[Client]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Client.of(address)) for address in two.addresses]


@contextmanager
def asked(clients: list[Client], vmodel: str) -> Iterator[list[Reply]]:
    """All clients ask for the alias in turn, again and again, until the block ends."""
    ended, replies = threading.Event(), list[Reply]()

    def ask() -> None:
        while not ended.is_set():
            replies.extend(client.ask(vmodel=vmodel) for client in clients)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield replies
    finally:
        ended.set()
        thread.join()


def is_loaded(client: Client, model: str) -> bool:
    return client.status(model).status == mm.ModelStatusInfo.LOADED


def test_a_move_fails_no_call_and_goes_but_one_way(two: Mesh, clients: list[Client]) -> None:
    clients[0].register("blue", load=True)
    # An alias does not wait for the sake of a model that nobody is known to hold.
    wait_until(lambda: all(is_loaded(client, "blue") for client in clients), SOON_S, lambda: "it is not told")
    clients[0].set_vmodel(mm.SetVModelRequest(vModelId="moves", targetModelId="blue"))
    with asked(clients, "moves") as replies:
        wait_until(lambda: len(replies) > 10, SOON_S, lambda: "nothing is answered")
        told = clients[1].set_vmodel(
            mm.SetVModelRequest(
                vModelId="moves", targetModelId="green", modelInfo=mm.ModelInfo(type="stub", path=SLOW)
            )
        )
        assert (told.status, told.activeModelId) == (TRANSITIONING, "blue")
        wait_until(
            lambda: clients[0].vmodel("moves").status == DEFINED,
            SOON_S,
            lambda: str(clients[0].vmodel("moves")),
        )
        seen = len(replies)
        wait_until(lambda: len(replies) > seen + 10, SOON_S, lambda: "nothing is answered")
    assert all(reply.is_ok for reply in replies), [reply for reply in replies if not reply.is_ok][:3]
    for number in range(len(clients)):
        models = [reply.model for reply in replies[number :: len(clients)]]
        moved = models.index("green")
        assert set(models[:moved]) == {"blue"}
        assert set(models[moved:]) == {"green"}
    assert max(reply.took_s for reply in replies) < 1.0, "a call waited for the load of the target"


def test_a_target_that_cannot_be_loaded_leaves_the_alias_where_it_was(
    two: Mesh, clients: list[Client]
) -> None:
    clients[0].register("good", load=True)
    clients[0].set_vmodel(mm.SetVModelRequest(vModelId="stays", targetModelId="good"))
    with asked(clients, "stays") as replies:
        told = clients[1].set_vmodel(
            mm.SetVModelRequest(
                vModelId="stays",
                targetModelId="bad",
                modelInfo=mm.ModelInfo(type="stub", path="FAILS_bad file"),
                sync=True,
            )
        )
    assert told.status == mm.VModelStatusInfo.TRANSITION_FAILED
    assert {reply.model for reply in replies} == {"good"}
    explained = clients[0].explain("stays")
    assert "bad file" in explained.cause, explained
    back = clients[0].set_vmodel(mm.SetVModelRequest(vModelId="stays", targetModelId="good"))
    assert (back.status, back.targetModelId) == (DEFINED, "good")


def test_a_canary_gets_its_share_through_every_instance(two: Mesh, clients: list[Client]) -> None:
    for model in ("steady", "canary"):
        clients[0].register(model, load=True)
    clients[0].set_vmodel(
        mm.SetVModelRequest(
            vModelId="split",
            targetModelId="steady",
            split=mm.Split(canaryModelId="canary", canaryPercent=30),
        )
    )
    wait_until(
        lambda: all(client.vmodel("split").split.canaryPercent for client in clients),
        SOON_S,
        lambda: "the split is not told",
    )
    for client in clients:
        answered = Counter(client.ask(vmodel="split").model for _ in range(200))
        assert set(answered) == {"steady", "canary"}, answered
        assert 20 < answered["canary"] < 110, f"it is to be 60 of 200: {answered}"


def test_a_shadow_is_sent_a_copy_of_each_call_and_answers_nobody(two: Mesh, clients: list[Client]) -> None:
    calls = 20
    for model in ("seen", "shadow"):
        clients[0].register(model, load=True)
    clients[0].set_vmodel(
        mm.SetVModelRequest(vModelId="shadowed", targetModelId="seen", split=mm.Split(shadowModelId="shadow"))
    )
    wait_until(
        lambda: all(client.vmodel("shadowed").split.shadowModelId for client in clients),
        SOON_S,
        lambda: "the shadow is not told",
    )
    before = served(two)
    for _ in range(calls):
        assert all(client.ask(vmodel="shadowed").model == "seen" for client in clients)
    wanted = before + 2 * calls * len(clients)
    wait_until(lambda: served(two) >= wanted, SOON_S, lambda: f"{served(two)} of {wanted} calls came")
    assert served(two) == wanted


def served(mesh: Mesh) -> int:
    """Calls that the runtimes have answered."""
    return sum(member.stub.figures().served for member in mesh.members.values())
