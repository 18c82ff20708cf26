"""Certificates of our own making.

`self_signed` vouches for nothing: for TLS where the other side checks no names. Prometheus scrapes ModelMesh
so (reference: ModelMesh core 6.1): the transport is encrypted, and that is all.

`issue` is for clients that can be told whom to trust, as the API server can: an authority that signs one
certificate, and whose key is then forgotten, so that nothing else can ever be signed by it. `Presented` is a
server's context whose certificate may be replaced while it serves.
"""

import ipaddress
import os
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_FROM = datetime(2020, 1, 1, tzinfo=UTC)
VALID_UNTIL = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""RFC 5280's way to say: without end. It goes with the process, and a wrong clock does not matter."""

CLOCKS_DIFFER_S: Final = 3600.0
"""How much earlier than now an issued certificate is good: another machine's clock may be late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate with its key, and who vouches for it; all PEM."""

    certificate: bytes
    key: bytes = field(repr=False)
    authority: bytes


def issue(names: Sequence[str], *, now_s: float, valid_s: float) -> Issued:
    """A certificate for a server of these names or addresses, good for so long from now (since the epoch)."""
    times = (_when(now_s - CLOCKS_DIFFER_S), _when(now_s + valid_s))
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    subject, issuer = _named(names[0]), _named(f"{names[0][:40]} authority {x509.random_serial_number():x}")
    authority = (
        _certificate(issuer, authority_key.public_key(), times)
        .issuer_name(issuer)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, SHA256())
    )
    from_authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        _certificate(subject, key.public_key(), times)
        .issuer_name(issuer)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([*map(_general, names)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(from_authority, critical=False)
        .sign(authority_key, SHA256())
    )
    return Issued(
        certificate=certificate.public_bytes(Encoding.PEM),
        key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        authority=authority.public_bytes(Encoding.PEM),
    )


def good_until_s(certificate: bytes) -> float:
    """When the first certificate of this PEM ends, since the epoch. Raises `ValueError` if there is none."""
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc.timestamp()


def names_in(certificate: bytes) -> frozenset[str]:
    """The names and addresses that it is for. Raises `ValueError` if there is no certificate."""
    read = x509.load_pem_x509_certificate(certificate)
    try:
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    addresses = names.get_values_for_type(x509.IPAddress)
    return frozenset([*names.get_values_for_type(x509.DNSName), *map(str, addresses)])


class Presented:
    """A server's certificate, which may be replaced: each new connection is shown the newest."""

    def __init__(self, certificate: bytes, key: bytes) -> None:
        """Raises `ValueError` if the two are no PEM, or do not belong together."""
        self._newest = _context(certificate, key)
        self.context: Final = self._newest
        """To serve with; it stays the same."""
        self.context.sni_callback = self._show_newest

    def replace(self, certificate: bytes, key: bytes) -> None:
        """From now on this one. Raises `ValueError`, and then the old one stays."""
        self._newest = _context(certificate, key)

    def _show_newest(
        self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        """OpenSSL asks this of every handshake, whether or not the client names a server."""
        connection.context = self._newest


def self_signed(name: str) -> ssl.SSLContext:
    """A server's context with a new key of its own, in the name of this host."""
    return _loaded(_key_and_certificate(name))


def _key_and_certificate(name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named(name)
    certificate = (
        _certificate(subject, key.public_key(), (VALID_FROM, VALID_UNTIL))
        .issuer_name(subject)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _certificate(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, times: tuple[datetime, datetime]
) -> x509.CertificateBuilder:
    """What all have; `times` are when it begins and ends."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(times[0])
        .not_valid_after(times[1])
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _when(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=round(epoch_s))


def _context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    try:
        return _loaded(key + b"\n" + certificate)
    except ssl.SSLError as error:
        raise ValueError("the certificate and its key are no PEM, or do not belong together") from error


def _loaded(key_and_certificate: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with _only_ours(key_and_certificate) as path:
        # Without a callback, OpenSSL would ask at the terminal for the passphrase of an encrypted key.
        context.load_cert_chain(path, password=lambda: "")
    return context


@contextmanager
def _only_ours(content: bytes) -> Iterator[str]:
    """The path of a file that is nobody else's, in memory where that can be: OpenSSL reads nothing else."""
    if hasattr(os, "memfd_create"):
        with open(os.memfd_create("key"), "wb") as file:  # noqa: PTH123 - it has a descriptor, and no path yet
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name
