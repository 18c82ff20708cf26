"""Instances that speak TLS with each other: calls are forwarded, and strangers are told nothing."""

from collections.abc import Iterator
from contextlib import ExitStack

import grpc
import pytest

from adapter.stubs.mesh import mesh_pb2
from adapter.stubs.mesh.mesh_pb2_grpc import PeerStub
from tests.integration import certificates
from tests.integration.asking import Client
from tests.integration.certificates import Certificates
from tests.integration.meshes import Mesh, a_mesh, wait_until

SOON_S = 10.0
ASKED_S = 5.0

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, made: Certificates) -> Iterator[Mesh]:
    """2 instances with TLS at all doors, that show each other certificates."""
    tls = {
        "MM_TLS_KEY_CERT_PATH": str(made.instance),
        "MM_TLS_PRIVATE_KEY_PATH": str(made.instance_key),
        "MM_INTERNAL_TRUST_CERTS": str(made.authority),
        "REMESH_LEASE_S": "2",
    }
    with a_mesh(tmp_path_factory.mktemp("two"), size=2, **tls) as mesh:
        yield mesh


def credentials(made: Certificates, client: str = "") -> grpc.ChannelCredentials:
    if not client:
        return grpc.ssl_channel_credentials(made.authority.read_bytes())
    return grpc.ssl_channel_credentials(
        made.authority.read_bytes(), made.client_key(client).read_bytes(), made.client(client).read_bytes()
    )


@pytest.fixture(scope="module")
def clients(two: Mesh, made: Certificates) -> Iterator[list[Client]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(Client.of(address, credentials(made), name="instance.pods"))
            for address in two.addresses
        ]


def test_calls_are_forwarded_and_copies_asked_for(two: Mesh, clients: list[Client]) -> None:
    clients[0].register("here-or-there", load=True)
    holder = clients[0].ask("here-or-there").runtime
    wait_until(lambda: bool(clients[1].explain("here-or-there").copies), SOON_S, lambda: "it is not told")
    assert [client.ask("here-or-there").runtime for client in clients] == [holder] * len(clients)
    # What an instance is asked for is answered as well: one more copy, at the other.
    clients[0].register("twice", load=True, min_copies=2)
    wait_until(lambda: len(clients[0].status("twice").modelCopyInfos) == 2, SOON_S, lambda: "one copy only")


@pytest.mark.parametrize("client", ["", "stranger"])
def test_a_stranger_is_refused_at_the_peers_port(two: Mesh, made: Certificates, client: str) -> None:
    member = two.members["instance-0"]
    code = said_hello(f"127.0.0.1:{member.place.peer_port}", credentials(made, client))
    assert code is grpc.StatusCode.UNAVAILABLE


def test_plaintext_is_refused_at_the_peers_port(two: Mesh) -> None:
    member = two.members["instance-0"]
    with grpc.insecure_channel(f"127.0.0.1:{member.place.peer_port}") as channel:
        assert hello(channel) is grpc.StatusCode.UNAVAILABLE


def test_an_instance_is_answered_at_the_peers_port(two: Mesh, made: Certificates) -> None:
    own = grpc.ssl_channel_credentials(
        made.authority.read_bytes(), made.instance_key.read_bytes(), made.instance.read_bytes()
    )
    port = two.members["instance-0"].place.peer_port
    assert said_hello(f"127.0.0.1:{port}", own) is grpc.StatusCode.OK


def test_what_instances_ask_each_other_is_not_answered_to_clients(two: Mesh, made: Certificates) -> None:
    address = two.members["instance-0"].address
    assert said_hello(address, credentials(made)) is grpc.StatusCode.UNIMPLEMENTED


def said_hello(address: str, shown: grpc.ChannelCredentials) -> grpc.StatusCode:
    """What `mesh.Peer/hello` is answered there."""
    options = [("grpc.ssl_target_name_override", "instance.pods")]
    with grpc.secure_channel(address, shown, options=options) as channel:
        return hello(channel)


def hello(channel: grpc.Channel) -> grpc.StatusCode:
    try:
        PeerStub(channel).hello(mesh_pb2.HelloRequest(), timeout=ASKED_S)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return grpc.StatusCode.OK
