"""Real handshakes on the loopback, with both event loops."""

import asyncio
import logging
import shutil
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from adapter.servers import tls
from adapter.servers.tls import (
    HTTP1,
    HTTP2,
    BadTls,
    ClientAuth,
    ClientTls,
    KeyPair,
    ServerTls,
    TlsFiles,
    peer_names,
    server_tls,
)
from tests.integration import certificates
from tests.integration.certificates import PASSPHRASE, Certificates

WAIT_S_MAX = 10.0
CHECK_S = 0.02
REFUSALS = (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)

loops = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
NewLoop = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def made(made_once: Certificates, tmp_path: Path) -> Certificates:
    """A copy that the test may change."""
    return Certificates(folder=shutil.copytree(made_once.folder, tmp_path / "pem"))


def run(new_loop: NewLoop, story: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(asyncio.wait_for(story, WAIT_S_MAX))


def server_of(made: Certificates, auth: ClientAuth = ClientAuth.NONE) -> ServerTls:
    pair = KeyPair(cert_path=made.server, key_path=made.server_key)
    return ServerTls(pair=pair, client_auth=auth, trust_paths=(made.authority,))


def client_of(made: Certificates, name: str | None = None) -> ssl.SSLContext:
    pair = name and KeyPair(cert_path=made.client(name), key_path=made.client_key(name))
    return ClientTls(pair=pair or None, trust_paths=(made.authority,)).build(HTTP2)


@asynccontextmanager
async def door(files: TlsFiles) -> AsyncIterator[int]:
    """Answers each byte with who sent it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        names = peer_names(writer.get_extra_info("ssl_object"))
        while await reader.read(1):
            writer.write(",".join(sorted(names)).encode() + b"\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=files.context) as server:
        yield server.sockets[0].getsockname()[1]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A connection to the door."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def tls(self) -> ssl.SSLObject:
        return cast("ssl.SSLObject", self.writer.get_extra_info("ssl_object"))

    async def names(self) -> str:
        self.writer.write(b"?")
        return (await self.reader.readuntil(b"\n")).decode().strip()


@asynccontextmanager
async def call(port: int, context: ssl.SSLContext, name: str = "localhost") -> AsyncIterator[Call]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    try:
        yield Call(reader=reader, writer=writer)
    finally:
        writer.close()


@asynccontextmanager
async def followed(files: TlsFiles) -> AsyncIterator[None]:
    following = asyncio.ensure_future(files.follow(check_s=CHECK_S))
    try:
        yield
    finally:
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following


async def read_again(files: TlsFiles) -> None:
    """Until the files as they are now were read."""
    while files._seal != tls._seal(files._tls.paths):  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(CHECK_S)


@loops
@pytest.mark.parametrize("alpn", [HTTP2, HTTP1], ids=["h2", "http/1.1"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_door_speaks_its_protocol(
    made: Certificates, new_loop: NewLoop, alpn: tuple[str, ...], version: ssl.TLSVersion
) -> None:
    async def story() -> None:
        context = ClientTls(trust_paths=(made.authority,)).build(["h2", "http/1.1"])
        context.maximum_version = version
        async with door(TlsFiles(server_of(made), alpn=alpn)) as port, call(port, context) as connection:
            assert await connection.names() == ""
            assert connection.tls.selected_alpn_protocol() == alpn[0]

    run(new_loop, story())


@loops
@pytest.mark.parametrize(
    ("auth", "client", "names"),
    [
        pytest.param(ClientAuth.NONE, None, "", id="nobody is asked"),
        pytest.param(ClientAuth.NONE, "operator", "", id="who is not asked shows nothing"),
        pytest.param(ClientAuth.OPTIONAL, None, "", id="optional, and none"),
        pytest.param(ClientAuth.OPTIONAL, "operator", "operator", id="optional, and known"),
        pytest.param(ClientAuth.OPTIONAL, "stranger", None, id="optional, and of another authority"),
        pytest.param(ClientAuth.REQUIRE, None, None, id="required, and none"),
        pytest.param(ClientAuth.REQUIRE, "caller", "caller", id="required, and known"),
        pytest.param(ClientAuth.REQUIRE, "stranger", None, id="required, and of another authority"),
    ],
)
def test_clients_are_asked_for_certificates(
    made: Certificates, new_loop: NewLoop, auth: ClientAuth, client: str | None, names: str | None
) -> None:
    async def story() -> None:
        async with door(TlsFiles(server_of(made, auth), alpn=HTTP2)) as port:
            if names is None:
                with pytest.raises(REFUSALS):
                    async with call(port, client_of(made, client)) as connection:
                        await connection.names()
                return
            async with call(port, client_of(made, client)) as connection:
                assert await connection.names() == names
                session = connection.tls.session
                assert session is not None
                assert session.has_ticket is (auth is ClientAuth.NONE)

    run(new_loop, story())


@loops
@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"], ids=["a name is asked for", "none is"])
def test_a_renewed_certificate_counts_from_the_next_connection_on(
    made: Certificates, new_loop: NewLoop, name: str
) -> None:
    async def story() -> None:
        files = TlsFiles(server_of(made), alpn=HTTP2)
        async with followed(files), door(files) as port, call(port, client_of(made), name) as before:
            await before.names()
            certificates.renew_server(made)
            await read_again(files)
            async with call(port, client_of(made), name) as after:
                await after.names()
                assert after.tls.getpeercert(True) != before.tls.getpeercert(True)
                assert after.tls.selected_alpn_protocol() == "h2"
            await before.names()

    run(new_loop, story())


@loops
def test_who_is_no_longer_trusted_comes_in_no_more(made: Certificates, new_loop: NewLoop) -> None:
    async def story() -> None:
        files = TlsFiles(server_of(made, ClientAuth.REQUIRE), alpn=HTTP2)
        caller = client_of(made, "caller")
        async with followed(files), door(files) as port:
            async with call(port, caller) as connection:
                await connection.names()
            certificates.renew_server(made)
            await read_again(files)
            caller.load_verify_locations(made.authority)
            with pytest.raises(REFUSALS):
                async with call(port, caller) as connection:
                    await connection.names()

    run(new_loop, story())


async def test_a_bad_new_file_changes_nothing_and_is_told_once(
    made: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    files = TlsFiles(server_of(made), alpn=HTTP2)
    good = made.server.read_bytes()
    made.server.write_text("half a certificate")
    async with asyncio.timeout(WAIT_S_MAX), followed(files), door(files) as port:
        while not caplog.records:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(CHECK_S)
        await asyncio.sleep(5 * CHECK_S)
        async with call(port, client_of(made)) as connection:
            await connection.names()
        (made.folder / "new").write_bytes(good)
        (made.folder / "new").rename(made.server)
        await read_again(files)
    (record,) = caplog.records
    assert "are not a PEM certificate chain" in vars(record)["error"]


def test_an_encrypted_key_is_opened_with_its_passphrase(made: Certificates) -> None:
    pair = KeyPair(cert_path=made.server, key_path=made.encrypted_server_key, passphrase=PASSPHRASE)
    TlsFiles(ServerTls(pair=pair), alpn=HTTP2)
    assert PASSPHRASE not in repr(ServerTls(pair=pair))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param({"key_path": "server-encrypted.key"}, "a passphrase is needed", id="no passphrase"),
        pytest.param(
            {"key_path": "server-encrypted.key", "passphrase": "wrong-one"},
            "the passphrase does not open the key",
            id="a wrong passphrase",
        ),
        pytest.param({"key_path": "caller.key"}, "is not that of the certificate", id="another's key"),
        pytest.param({"key_path": "server.pem"}, "are not a PEM certificate chain and", id="no key"),
        pytest.param({"cert_path": "server.key"}, "are not a PEM certificate chain and", id="no certificate"),
        pytest.param({"cert_path": "none.pem"}, "none.pem cannot be read: No such file", id="no file"),
    ],
)
def test_files_that_cannot_be_used_are_complained_about(
    made: Certificates, change: dict[str, str], complaint: str
) -> None:
    paths: dict[str, Any] = {
        name: made.folder / value for name, value in change.items() if name.endswith("path")
    }
    pair = replace(server_of(made).pair, passphrase=change.get("passphrase", ""), **paths)
    with pytest.raises(BadTls, match=complaint) as caught:
        ServerTls(pair=pair).build(HTTP2)
    assert "wrong-one" not in f"{caught.value}{caught.value.__context__}"


def test_all_files_are_complained_about_at_once(made: Certificates) -> None:
    bad = replace(server_of(made, ClientAuth.REQUIRE), trust_paths=(made.folder / "no.pem", made.server_key))
    made.server.unlink()
    with pytest.raises(
        BadTls, match=r"(?s)server.pem cannot .*no.pem cannot .*server.key has no PEM certificate"
    ):
        bad.build(HTTP2)
    client = ClientTls(pair=bad.pair, trust_paths=bad.trust_paths)
    with pytest.raises(BadTls, match=r"(?s)no.pem cannot .*server.pem cannot"):
        client.build(HTTP2)


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        pytest.param({}, None, id="plaintext"),
        pytest.param({"client_auth": "none"}, None, id="plaintext, said"),
        pytest.param(
            {
                "cert_path": Path("c"),
                "key_path": Path("k"),
                "client_auth": "Optional",
                "trust_paths": "a, b,",
            },
            ServerTls(
                pair=KeyPair(cert_path=Path("c"), key_path=Path("k")),
                client_auth=ClientAuth.OPTIONAL,
                trust_paths=(Path("a"), Path("b")),
            ),
            id="all of it",
        ),
    ],
)
def test_settings_become_tls(settings: dict[str, Any], wanted: ServerTls | None) -> None:
    assert server_tls(**({"cert_path": None, "key_path": None} | settings)) == wanted


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        pytest.param({"client_auth": "REQUIRE"}, "client certificates need TLS", id="no TLS"),
        pytest.param(
            {"client_auth": "maybe"}, "'maybe' is none of NONE, OPTIONAL, REQUIRE", id="no such word"
        ),
        pytest.param({"key_path": Path("k")}, "MM_TLS_KEY_CERT_PATH: must name", id="no certificate"),
        pytest.param({"cert_path": Path("c")}, "MM_TLS_PRIVATE_KEY_PATH: must name", id="no key"),
        pytest.param(
            {"cert_path": Path("c"), "client_auth": "x"}, "CLIENT_AUTH.*\nMM_TLS_PRIVATE_KEY_PATH", id="two"
        ),
    ],
)
def test_settings_that_cannot_be_are_complained_about(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadTls, match=complaint):
        server_tls(**({"cert_path": None, "key_path": None} | settings))


async def test_we_call_only_whom_we_trust_by_the_name_we_call(made: Certificates) -> None:
    async with door(TlsFiles(server_of(made), alpn=HTTP2)) as port:
        strangers = ClientTls(trust_paths=(made.client("stranger"),)).build(HTTP2)
        with pytest.raises(ssl.SSLCertVerificationError, match="unable to get"):
            async with call(port, strangers):
                pass
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            async with call(port, client_of(made), "elsewhere"):
                pass
        unnamed = ClientTls(trust_paths=(made.authority,), checks_name=False).build(HTTP2)
        async with call(port, unnamed, "elsewhere") as connection:
            await connection.names()


async def test_a_client_uses_its_newest_files(made: Certificates) -> None:
    pair = KeyPair(cert_path=made.client("caller"), key_path=made.client_key("caller"))
    files = TlsFiles(ClientTls(pair=pair, trust_paths=(made.authority,)), alpn=HTTP2)
    server = TlsFiles(server_of(made, ClientAuth.REQUIRE), alpn=HTTP2)
    async with asyncio.timeout(WAIT_S_MAX), followed(files), door(server) as port:
        async with call(port, files.newest) as connection:
            assert await connection.names() == "caller"
        shutil.copy(made.client("operator"), pair.cert_path)
        shutil.copy(made.client_key("operator"), pair.key_path)
        await read_again(files)
        async with call(port, files.newest) as connection:
            assert await connection.names() == "operator"


def test_uris_name_a_peer_too() -> None:
    class Connection:
        def getpeercert(self) -> dict[str, object]:
            names = (("DNS", "b"), ("URI", "spiffe://mesh/c"), ("IP Address", "127.0.0.1"))
            return {
                "subject": ((("organizationName", "o"),), (("commonName", "a"),)),
                "subjectAltName": names,
            }

    assert peer_names(cast("ssl.SSLObject", Connection())) == {"a", "b", "spiffe://mesh/c"}
    assert peer_names(None) == frozenset()
