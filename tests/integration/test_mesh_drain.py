"""An instance that leaves, told by SIGTERM or by /prestop: what everybody sees of it."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus

import grpc
import pytest

from bench.mesh.clients import Asking, Registering
from bench.mesh.place import HOST
from tests.integration.asking import Client, Reply
from tests.integration.meshes import GONE_S_MAX, Member, Mesh, a_mesh, wait_until

LOADED = Asking(models=60, rate=120)
ANSWER_S = 1.5
"""What a slow answer takes: longer than it takes to load all copies elsewhere."""
SOON_S = 10.0

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """3 instances with 60 models, all of them loaded."""
    with a_mesh(tmp_path_factory.mktemp("three"), size=3, REMESH_LEASE_S="2") as mesh:
        mesh.register(Registering(models=LOADED.models))
        yield mesh


def sigterm(member: Member) -> None:
    child = member.instance.child
    assert child is not None
    child.terminate()


def prestop(member: Member) -> None:
    """As the pre-stop hook of the runtime's container does, which waits for the answer."""
    connection = http.client.HTTPConnection(HOST, member.place.prestop_port, timeout=GONE_S_MAX)
    try:
        connection.request("GET", "/prestop")
        assert connection.getresponse().status == HTTPStatus.OK
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("name", "tell"),
    [pytest.param("instance-0", sigterm, id="SIGTERM"), pytest.param("instance-1", prestop, id="prestop")],
)
def test_an_instance_leaves_without_a_call_noticing(
    three: Mesh, name: str, tell: Callable[[Member], None]
) -> None:
    leaving = three.members[name]
    held = set(leaving.stub.models())
    assert held
    with three.asked(LOADED) as traffic, Client.of(leaving.address) as client:
        slow = min(held)
        leaving.stub.behave(inference=f"{ANSWER_S}s")
        with answering(client, slow) as replies:
            telling = threading.Thread(target=tell, args=(leaving,))
            telling.start()
            wait_until(lambda: not leaving.place.is_ready(), SOON_S, lambda: "it is ready still")
            seen = copies_elsewhere_first(three, leaving, held)
            child = leaving.instance.child
            assert child is not None
            assert child.wait(GONE_S_MAX) == 0, leaving.instance.said
            telling.join()
        traffic.go_on(1.0)
        verdict = traffic.end()
    assert seen, "it went before its copies were loaded elsewhere"
    assert [reply.code for reply in replies] == ["OK"], "a call in flight was cut off"
    assert (verdict.failed, verdict.wrong) == (0, 0), verdict.described
    assert name not in three.keys("instances/"), "the lease was not given back"
    assert name not in three.recorded()
    leaving.runtime.end()
    leaving.start()
    leaving.wait_until_ready()
    three.settle()


def copies_elsewhere_first(three: Mesh, leaving: Member, held: set[str]) -> bool:
    """Whether all that it held was held elsewhere while its own copies were told of."""
    others = [member for member in three.members.values() if member is not leaving]
    while leaving.instance.is_running:
        told = three.recorded().get(leaving.name, set())
        elsewhere = set().union(*(member.stub.models() for member in others))
        if held <= elsewhere:
            return True
        if not told:
            return False
    return False


@contextmanager
def answering(client: Client, model: str) -> Iterator[list[Reply]]:
    """A call is in flight when the block begins, and has ended when it is left."""
    replies: list[Reply] = []
    thread = threading.Thread(target=lambda: replies.append(client.ask(model)))
    thread.start()
    try:
        yield replies
    finally:
        thread.join()


def test_a_connection_is_told_to_go(three: Mesh) -> None:
    leaving = three.members["instance-2"]
    with ExitStack() as stack:
        channel = stack.enter_context(grpc.insecure_channel(leaving.address))
        states: list[grpc.ChannelConnectivity] = []
        channel.subscribe(states.append)
        grpc.channel_ready_future(channel).result(SOON_S)
        leaving.instance.stop()
        # gRPC goes IDLE for a GOAWAY; a connection that just broke would be TRANSIENT_FAILURE.
        wait_until(lambda: states[-1] is not grpc.ChannelConnectivity.READY, SOON_S, lambda: str(states))
        ready = states.index(grpc.ChannelConnectivity.READY)
        assert states[ready + 1] is grpc.ChannelConnectivity.IDLE, states
    leaving.start()
    leaving.wait_until_ready()
    three.settle()
