"""Certificates for tests: an authority, a server on this machine, and two clients that it knows by name."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PASSPHRASE = "of-the-tests"
SERVER_NAME = "localhost"
CLIENTS = ("operator", "caller")
DAYS = 30

Signed = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """The PEM files below one folder; a private key lies beside its certificate."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def server(self) -> Path:
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        return self.folder / "server.key"

    @property
    def encrypted_server_key(self) -> Path:
        """The same key as PKCS#8, which `PASSPHRASE` opens."""
        return self.folder / "server-encrypted.key"

    @property
    def instance(self) -> Path:
        """Good for both sides of a connection, as instances need it among each other; for no address."""
        return self.folder / "instance.pem"

    @property
    def instance_key(self) -> Path:
        return self.folder / "instance.key"

    def client(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    def client_key(self, name: str) -> Path:
        return self.folder / f"{name}.key"


def make(folder: Path) -> Certificates:
    """Write them all: `ca`, `server`, each of `CLIENTS`, and `stranger`, of an authority of its own."""
    made = Certificates(folder=folder)
    authority = _authority("remesh tests")
    made.authority.write_bytes(_pem(authority[0]))
    server = _signed(SERVER_NAME, authority, ExtendedKeyUsageOID.SERVER_AUTH)
    _write(folder, "server", server)
    passphrase = serialization.BestAvailableEncryption(PASSPHRASE.encode())
    made.encrypted_server_key.write_bytes(_key(server[1], passphrase))
    for name in CLIENTS:
        _write(folder, name, _signed(name, authority, ExtendedKeyUsageOID.CLIENT_AUTH))
    both = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
    _write(folder, "instance", _signed("instance.pods", authority, *both))
    stranger = _signed("stranger", _authority("elsewhere"), ExtendedKeyUsageOID.CLIENT_AUTH)
    _write(folder, "stranger", stranger)
    return made


def renew_server(made: Certificates) -> None:
    """Another certificate and key in the server's place, of another authority, which replaces `ca.pem`."""
    authority = _authority("remesh tests, renewed")
    made.authority.write_bytes(_pem(authority[0]))
    _write(made.folder, "server", _signed(SERVER_NAME, authority, ExtendedKeyUsageOID.SERVER_AUTH))


def _authority(name: str) -> Signed:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(name, key.public_key())
        .issuer_name(_named(name))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def encrypted(key: Path) -> bytes:
    """The same key as PKCS#8, which `PASSPHRASE` opens."""
    loaded = serialization.load_pem_private_key(key.read_bytes(), password=None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    return _key(loaded, serialization.BestAvailableEncryption(PASSPHRASE.encode()))


def _signed(name: str, authority: Signed, *usage: x509.ObjectIdentifier) -> Signed:
    issuer, signing_key = authority
    key = ec.generate_private_key(ec.SECP256R1())
    places: list[x509.GeneralName] = [x509.DNSName(name)]
    if usage == (ExtendedKeyUsageOID.SERVER_AUTH,):
        places.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    certificate = (
        _builder(name, key.public_key())
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(places), critical=False)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False
        )
        .sign(signing_key, hashes.SHA256())
    )
    return certificate, key


def _builder(name: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=DAYS))
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _write(folder: Path, name: str, signed: Signed) -> None:
    certificate, key = signed
    (folder / f"{name}.pem").write_bytes(_pem(certificate))
    (folder / f"{name}.key").write_bytes(_key(key, serialization.NoEncryption()))


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key(key: ec.EllipticCurvePrivateKey, encryption: serialization.KeySerializationEncryption) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
