"""What the relay listens on and connects to: ports, unix sockets, TLS; and how it lets its clients go."""

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from adapter.domain.errors import Code
from adapter.servers.grpc_server import CannotListen
from adapter.servers.tls import HTTP2, ClientAuth, ClientTls, KeyPair, ServerTls, TlsFiles
from tests.fakes.doors import ECHO, LIMITS, WAIT_S_MAX, a_door, a_relay, unary
from tests.fakes.generic_runtime import SERVICE, GenericRuntime
from tests.fakes.waiting_router import WaitingRouter
from tests.integration import certificates
from tests.integration.certificates import Certificates

LOCALHOST = [("grpc.default_authority", "localhost")]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def made(made_once: Certificates, tmp_path: Path) -> Certificates:
    """A copy that the test may change."""
    return Certificates(folder=shutil.copytree(made_once.folder, tmp_path / "pem"))


def served_with(made: Certificates, auth: ClientAuth = ClientAuth.NONE, *more: str) -> ssl.SSLContext:
    pair = KeyPair(cert_path=made.server, key_path=made.server_key)
    tls = ServerTls(pair=pair, client_auth=auth, trust_paths=(made.authority,))
    return TlsFiles(tls, alpn=(*HTTP2, *more)).context


def shown(made: Certificates, client: str = "") -> grpc.ChannelCredentials:
    key, chain = (
        (made.client_key(client).read_bytes(), made.client(client).read_bytes()) if client else (None, None)
    )
    return grpc.ssl_channel_credentials(made.authority.read_bytes(), key, chain)


@asynccontextmanager
async def tls_runtime(made: Certificates, address: str) -> AsyncIterator[str]:
    """A runtime of grpcio that speaks TLS alone; gives where."""
    server = grpc.aio.server(handlers=[GenericRuntime()])
    pair = (made.server_key.read_bytes(), made.server.read_bytes())
    port = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    await server.start()
    try:
        yield address if address.startswith("unix:") else f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


async def test_a_door_can_be_a_unix_socket_and_leaves_none_behind(tmp_path: Path) -> None:
    path = tmp_path / "door.sock"
    async with a_door() as door:
        assert await door.server.listen(f"unix:{path}") == 0
        async with grpc.aio.insecure_channel(f"unix:{path}", LOCALHOST) as client:
            assert await unary(client, ECHO, b"x") == b"x"
    assert not path.exists()


async def test_an_address_that_is_taken_is_an_error_at_once(tmp_path: Path) -> None:
    async with a_relay(WaitingRouter()) as server:
        port = await server.listen("127.0.0.1:0")
        with pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1:{port}"):
            await server.listen(f"127.0.0.1:{port}")
        with pytest.raises(CannotListen, match=r"cannot listen on unix:.*/no/such\.sock"):
            await server.listen(f"unix:{tmp_path}/no/such.sock")


async def test_tls_is_served(made: Certificates) -> None:
    async with a_door() as door:
        port = await door.server.listen("127.0.0.1:0", tls=served_with(made))
        async with grpc.aio.secure_channel(f"localhost:{port}", shown(made)) as client:
            assert await unary(client, ECHO, b"x" * 200_000) == b"x" * 200_000
        assert door.router.planned[-1][1].names == frozenset()


@pytest.mark.parametrize("client", ["operator", "stranger", ""], ids=["known", "of elsewhere", "without"])
async def test_a_client_shows_who_it_is(made: Certificates, client: str) -> None:
    async with a_door() as door:
        port = await door.server.listen("127.0.0.1:0", tls=served_with(made, ClientAuth.REQUIRE))
        async with grpc.aio.secure_channel(f"localhost:{port}", shown(made, client)) as channel:
            if client == "operator":
                assert await unary(channel, ECHO, b"x") == b"x"
                ((_, caller),) = door.router.planned
                assert caller.names is not None
                assert "operator" in caller.names
            else:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await unary(channel, ECHO, b"x")
                assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
                assert not door.router.planned


async def test_a_client_that_agreed_upon_another_protocol_is_sent_away(made: Certificates) -> None:
    async with a_door() as door:
        context = served_with(made, ClientAuth.NONE, "http/1.1")
        port = await door.server.listen("127.0.0.1:0", tls=context)
        ours = ssl.create_default_context(cafile=str(made.authority))
        ours.set_alpn_protocols(["http/1.1"])
        reader, writer = await asyncio.open_connection("localhost", port, ssl=ours)
        said = await asyncio.wait_for(reader.read(), WAIT_S_MAX)
        assert b"another protocol than h2" in said
        writer.close()
        assert door.server.relay.shared.counts.connection_errors == {"PROTOCOL_ERROR": 1}
        assert await door.unary(ECHO, b"x") == b"x", "others do not notice"


@pytest.mark.parametrize("kind", ["port", "unix socket"])
async def test_a_runtime_is_called_over_tls(made: Certificates, tmp_path: Path, kind: str) -> None:
    router = WaitingRouter()
    address = "127.0.0.1:0" if kind == "port" else f"unix:{tmp_path}/r.sock"
    async with tls_runtime(made, address) as runtime, a_relay(router) as server:
        files = TlsFiles(ClientTls(trust_paths=(made.authority,)), alpn=HTTP2)
        router.upstream = server.upstream(runtime, tls=files)
        answer = await server.unary(ECHO, b"x", timeout_s=WAIT_S_MAX)
        assert (answer.code, answer.message) == (Code.OK, b"x")


async def test_a_runtime_with_a_new_certificate_is_trusted_once_the_files_are_new(
    made: Certificates,
) -> None:
    router = WaitingRouter()
    files = TlsFiles(ClientTls(trust_paths=(made.authority,)), alpn=HTTP2)
    certificates.renew_server(made)
    async with tls_runtime(made, "127.0.0.1:0") as runtime, a_relay(router) as server:
        router.upstream = server.upstream(runtime, tls=files)
        answer = await server.unary(ECHO, b"x", timeout_s=WAIT_S_MAX)
        assert answer.code is Code.UNAVAILABLE
        assert "CERTIFICATE_VERIFY_FAILED" in answer.text
        following = asyncio.ensure_future(files.follow(check_s=0.01))
        async with asyncio.timeout(WAIT_S_MAX):
            while answer.code == Code.UNAVAILABLE:
                answer = await server.unary(ECHO, b"x")
        following.cancel()


async def test_who_comes_by_the_management_door_is_told_from_others() -> None:
    async with a_door() as door:
        port = await door.server.listen("127.0.0.1:0", management=True)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as client:
            await unary(client, ECHO, b"x")
        await door.unary(ECHO, b"x")
        assert [caller.from_management for _, caller in door.router.planned] == [True, False]
        assert [caller.names for _, caller in door.router.planned] == [None, None]


async def test_a_drain_lets_what_has_begun_come_to_its_end() -> None:
    async with a_door() as door:
        call = door.stream("Chat")
        await call.write(b"one")
        assert await call.read() == b"re one"
        draining = asyncio.ensure_future(door.server.drain(WAIT_S_MAX))
        await call.write(b"two")
        assert await call.read() == b"re two"
        assert not draining.done()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await door.unary(ECHO, b"x")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK
        await asyncio.wait_for(draining, WAIT_S_MAX)
        assert not door.server.relay.clients


async def test_a_drain_does_not_wait_for_ever() -> None:
    async with a_door() as door:
        call = door.stream("Hold")
        await call.write(b"one")
        await call.read()
        await asyncio.wait_for(door.server.drain(0.05), WAIT_S_MAX)
        door.server.close()
        assert await call.code() is not grpc.StatusCode.OK
        await asyncio.wait_for(door.runtime.cancelled.wait(), WAIT_S_MAX)


async def test_connections_of_an_age_are_replaced_without_a_call_failing() -> None:
    async with a_door(limits=replace(LIMITS, age_s_max=2.0, age_grace_s=WAIT_S_MAX)) as door:
        call = door.stream("Chat")
        await call.write(b"one")
        await call.read()
        for _ in range(3):
            door.server.relay.tick(door.server.now() + 2.1)
            door.server.flush()
            assert await door.unary(ECHO, b"x") == b"x"
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK
        assert door.server.relay.shared.counts.connections_opened > 1


async def test_more_clients_than_allowed_are_turned_away() -> None:
    async with a_door(limits=replace(LIMITS, connections_max=1)) as door:
        assert await door.unary(ECHO, b"x") == b"x"
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        assert b"too many connections" in await asyncio.wait_for(reader.read(), WAIT_S_MAX)
        writer.close()
        assert door.server.relay.shared.counts.limits_hit == {"connections_max": 1}
        assert await door.unary(ECHO, b"x") == b"x"


async def test_http_1_is_answered_in_its_own_words() -> None:
    async with a_door() as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        said = await asyncio.wait_for(reader.read(), WAIT_S_MAX)
        writer.close()
    assert said.startswith(b"HTTP/1.1 400 ")
    assert f"/{SERVICE}".encode() not in said
