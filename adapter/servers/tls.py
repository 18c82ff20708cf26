"""TLS for our doors and for what we call: key pairs, client certificates, trust; read again when they change.

Settings and rules are ModelMesh's (reference: ModelMesh core 2.8, 5.5), except that a changed certificate
counts from the next connection on. TLS is 1.2 or newer, with the ciphers that RFC 9113 9.2.2 leaves.

    tls = server_tls(cert_path=..., key_path=..., ...)      # complains about the settings
    files = TlsFiles(tls, alpn=("h2",))                      # complains about the files
    await loop.create_server(..., ssl=files.context)
    group.create_task(files.follow())

A passphrase is in no message, `repr` or log.
"""

import asyncio
import logging
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final, Protocol

from adapter.aio.file_changes import CHECK_S, keep_looking
from adapter.domain.errors import InvalidRequest

log = logging.getLogger(__name__)

HTTP2: Final = ("h2",)
HTTP1: Final = ("http/1.1",)

_TLS12_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


class BadTls(InvalidRequest):
    """TLS cannot be served so; the text lists every complaint, one a line."""


class ClientAuth(Enum):
    """Whether a client must show a certificate."""

    NONE = ssl.CERT_NONE
    OPTIONAL = ssl.CERT_OPTIONAL
    REQUIRE = ssl.CERT_REQUIRED


class Tls(Protocol):
    """What a context is made of."""

    @property
    def paths(self) -> Sequence[Path]:
        """The files that it is read from."""
        ...

    def build(self, alpn: Sequence[str]) -> ssl.SSLContext:
        """Read the files. Blocks. Raises `BadTls`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A certificate chain and its key, both PEM; the key as PKCS#8 may be encrypted."""

    cert_path: Path
    key_path: Path
    passphrase: str = field(default="", repr=False)

    def complaints(self, context: ssl.SSLContext) -> Iterator[str]:
        """Load the pair into the context, or say what is wrong with it."""
        unreadable = [*_unreadable([self.cert_path, self.key_path])]
        if unreadable:
            yield from unreadable
            return
        try:
            # Without a callback, OpenSSL would ask at the terminal.
            context.load_cert_chain(self.cert_path, self.key_path, password=lambda: self.passphrase)
        except ssl.SSLError as error:
            yield self._why(error)

    def _why(self, error: ssl.SSLError) -> str:
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"the key in {self.key_path} is not that of the certificate in {self.cert_path}"
        if b"ENCRYPTED" in self.key_path.read_bytes():
            what = "the passphrase does not open" if self.passphrase else "a passphrase is needed for"
            return f"{what} the key in {self.key_path} (MM_TLS_PRIVATE_KEY_PASSPHRASE)"
        return f"{self.cert_path} and {self.key_path} are not a PEM certificate chain and its PEM key"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTls:
    """How a door serves TLS."""

    pair: KeyPair
    client_auth: ClientAuth = ClientAuth.NONE
    trust_paths: tuple[Path, ...] = ()
    """Who signs the clients' certificates; none: whom this system trusts."""

    @property
    def asks_for_certificates(self) -> bool:
        """Whether clients may, or must, show one."""
        return self.client_auth is not ClientAuth.NONE

    @property
    def paths(self) -> Sequence[Path]:
        trusted = () if self.client_auth is ClientAuth.NONE else self.trust_paths
        return (self.pair.cert_path, self.pair.key_path, *trusted)

    def build(self, alpn: Sequence[str]) -> ssl.SSLContext:
        """Read the files. Blocks. Raises `BadTls`."""
        context = _context(ssl.PROTOCOL_TLS_SERVER, alpn)
        complaints = [*self.pair.complaints(context)]
        if self.client_auth is not ClientAuth.NONE:
            complaints += _trust(context, self.trust_paths)
            # A resumed session would not ask for the certificate again, and outlive a change of trust.
            context.num_tickets = 0
            context.options |= ssl.OP_NO_TICKET
        if complaints:
            raise BadTls("\n".join(complaints))
        context.verify_mode = self.client_auth.value
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    """How we call a runtime or another instance over TLS."""

    pair: KeyPair | None = None
    """What we show of ourselves; None: nothing."""
    trust_paths: tuple[Path, ...] = ()
    """Who signs the server's certificate; none: whom this system trusts."""
    checks_name: bool = True
    """The certificate must be for the name that is called. Pods are called by address, which none has."""

    @property
    def paths(self) -> Sequence[Path]:
        pair = () if self.pair is None else (self.pair.cert_path, self.pair.key_path)
        return (*pair, *self.trust_paths)

    def build(self, alpn: Sequence[str]) -> ssl.SSLContext:
        """Read the files. Blocks. Raises `BadTls`."""
        context = _context(ssl.PROTOCOL_TLS_CLIENT, alpn)
        context.check_hostname = self.checks_name
        complaints = [*_trust(context, self.trust_paths)]
        if self.pair is not None:
            complaints += self.pair.complaints(context)
        if complaints:
            raise BadTls("\n".join(complaints))
        return context


def server_tls(
    *,
    cert_path: Path | None,
    key_path: Path | None,
    passphrase: str = "",
    client_auth: str = "",
    trust_paths: str = "",
) -> ServerTls | None:
    """What the settings ask for; None: plaintext. Raises `BadTls`; the files are not read yet."""
    complaints = []
    wanted = ClientAuth.__members__.get(client_auth.strip().upper() or "NONE")
    if wanted is None:
        complaints.append(
            f"MM_TLS_CLIENT_AUTH: {client_auth!r} is none of {', '.join(ClientAuth.__members__)}"
        )
    if cert_path is None and key_path is not None:
        complaints.append("MM_TLS_KEY_CERT_PATH: must name the certificate of MM_TLS_PRIVATE_KEY_PATH")
    if key_path is None and cert_path is not None:
        complaints.append("MM_TLS_PRIVATE_KEY_PATH: must name the key of MM_TLS_KEY_CERT_PATH")
    if key_path is None and cert_path is None and wanted not in (None, ClientAuth.NONE):
        complaints.append(
            "MM_TLS_CLIENT_AUTH: client certificates need TLS; "
            "set MM_TLS_KEY_CERT_PATH and MM_TLS_PRIVATE_KEY_PATH too"
        )
    if complaints or wanted is None:
        raise BadTls("\n".join(complaints))
    if cert_path is None or key_path is None:
        return None
    trusted = tuple(Path(path.strip()) for path in trust_paths.split(",") if path.strip())
    pair = KeyPair(cert_path=cert_path, key_path=key_path, passphrase=passphrase)
    return ServerTls(pair=pair, client_auth=wanted, trust_paths=trusted)


class TlsFiles:
    """A context that stays the same while its files change. Blocks until they are read; raises `BadTls`."""

    def __init__(self, tls: Tls, *, alpn: Sequence[str]) -> None:
        self._tls = tls
        self._alpn = tuple(alpn)
        self._complaint = ""
        self._seal = _seal(tls.paths)
        self._newest = tls.build(self._alpn)
        self.context: Final = self._newest
        """For a server: each connection is served with the newest files."""
        if self.context.protocol is ssl.PROTOCOL_TLS_SERVER:
            self.context.sni_callback = self._use_newest

    def __repr__(self) -> str:
        return f"<TlsFiles {', '.join(map(str, self._tls.paths))}>"

    @property
    def newest(self) -> ssl.SSLContext:
        """For a client: what the next connection is made with."""
        return self._newest

    async def follow(self, *, check_s: float = CHECK_S) -> None:
        """Read the files again whenever they change; ends when cancelled.

        Files that cannot be used are complained about in the log, once, and the old ones go on.
        """
        await keep_looking(self._tls.paths, self._look, check_s=check_s)

    async def _look(self) -> None:
        try:
            changed = await asyncio.to_thread(self._read_again)
        except BadTls as error:
            if str(error) != self._complaint:
                log.error("TLS files stay as they were", extra={"error": str(error)})  # noqa: TRY400 - told
            self._complaint = str(error)
            return
        self._complaint = ""
        if changed:
            log.info("TLS files changed", extra={"cert": str(self._tls.paths[0])})

    def _read_again(self) -> bool:
        seal = _seal(self._tls.paths)
        if seal == self._seal:
            return False
        self._newest = self._tls.build(self._alpn)
        self._seal = seal
        return True

    def _use_newest(
        self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        """OpenSSL asks this of every handshake, whether or not the client names a server."""
        connection.context = self._newest


def peer_names(connection: ssl.SSLObject | ssl.SSLSocket | None) -> frozenset[str]:
    """Whom a verified certificate of the other side is for: the common name, and the DNS and URI names."""
    certificate: Any = None if connection is None else connection.getpeercert()
    if not certificate:
        return frozenset()
    subject = [pair for relative in certificate.get("subject", ()) for pair in relative]
    names = [value for kind, value in subject if kind == "commonName"]
    others = [value for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "URI")]
    return frozenset((*names, *others))


def _context(side: int, alpn: Sequence[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS12_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(list(alpn))
    return context


def _trust(context: ssl.SSLContext, paths: Sequence[Path]) -> Iterator[str]:
    """Trust these signers, or say which file names none."""
    if not paths:
        context.load_default_certs()
        return
    # As in Java's trust stores: what is named is trusted itself, whoever signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    yield from _unreadable(paths)
    for path in paths:
        try:
            context.load_verify_locations(path)
        except ssl.SSLError:
            yield f"{path} has no PEM certificate to trust"
        except OSError:
            continue  # said already


def _unreadable(paths: Sequence[Path]) -> Iterator[str]:
    for path in paths:
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            yield f"{path} cannot be read: {error.strerror}"


def _seal(paths: Sequence[Path]) -> list[tuple[int, ...]]:
    """Differs when a file is another one, or has another content."""
    return [*map(_file_seal, paths)]


def _file_seal(path: Path) -> tuple[int, ...]:
    try:
        stat = path.stat()
    except OSError:
        return ()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
