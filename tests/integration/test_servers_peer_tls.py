"""What instances show each other, with real files."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from adapter.servers.peer_tls import PeersTls, peers_tls
from adapter.servers.tls import HTTP2, BadTls, ClientAuth, KeyPair, ServerTls
from tests.integration import certificates
from tests.integration.certificates import Certificates


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def doors(made: Certificates) -> ServerTls:
    """Of the ports for clients."""
    return ServerTls(pair=KeyPair(cert_path=made.instance, key_path=made.instance_key))


def checked(tls: PeersTls | None) -> PeersTls:
    assert tls is not None
    tls.check()
    return tls


def test_there_is_none_without_that_of_the_doors(doors: ServerTls) -> None:
    assert peers_tls(None) is None
    assert peers_tls(doors, enabled=False) is None


def test_instances_show_each_other_what_clients_are_shown(doors: ServerTls, made: Certificates) -> None:
    tls = checked(peers_tls(doors, trust_paths=f" {made.authority} ,"))
    assert tls.server.client_auth is ClientAuth.REQUIRE
    assert tls.server.trust_paths == tls.client.trust_paths == (made.authority,)
    assert tls.client.pair == doors.pair
    assert not tls.client.build(HTTP2).check_hostname


def test_without_a_word_of_trust_they_trust_the_certificate_that_they_share(doors: ServerTls) -> None:
    tls = checked(peers_tls(doors))
    assert tls.server.trust_paths == (doors.pair.cert_path,)


def test_a_certificate_for_servers_alone_is_complained_about_at_once(made: Certificates) -> None:
    doors = ServerTls(pair=KeyPair(cert_path=made.server, key_path=made.server_key))
    tls = peers_tls(doors)
    assert tls is not None
    with pytest.raises(
        BadTls, match=r"(?s)server\.pem.*servers and clients.*MM_INTRACLUSTER_CLIENTAUTH=false"
    ):
        tls.check()
    checked(peers_tls(doors, client_auth=False))


def test_another_authority_is_complained_about_at_once(doors: ServerTls, made: Certificates) -> None:
    tls = peers_tls(doors, trust_paths=str(made.client("stranger")))
    assert tls is not None
    with pytest.raises(BadTls, match="MM_INTERNAL_TRUST_CERTS must name who signed"):
        tls.check()


def test_files_that_cannot_be_read_are_named(doors: ServerTls, tmp_path: Path) -> None:
    tls = peers_tls(doors, trust_paths=str(tmp_path / "none.pem"))
    assert tls is not None
    with pytest.raises(BadTls, match=r"none\.pem cannot be read"):
        tls.check()


def test_an_encrypted_key_will_do(made: Certificates, tmp_path: Path) -> None:
    shutil.copy(made.instance, tmp_path / "instance.pem")
    key = tmp_path / "instance.key"
    key.write_bytes(certificates.encrypted(made.instance_key))
    pair = KeyPair(cert_path=made.instance, key_path=key, passphrase=certificates.PASSPHRASE)
    checked(peers_tls(ServerTls(pair=pair)))
    with pytest.raises(BadTls, match="passphrase"):
        checked(peers_tls(ServerTls(pair=replace(pair, passphrase="wrong"))))


def test_a_stranger_is_not_let_in(doors: ServerTls, made: Certificates) -> None:
    tls = checked(peers_tls(doors, trust_paths=str(made.authority)))
    stranger = KeyPair(cert_path=made.client("stranger"), key_path=made.client_key("stranger"))
    both = PeersTls(server=tls.server, client=replace(tls.client, pair=stranger))
    with pytest.raises(BadTls):
        both.check()
    none = PeersTls(server=tls.server, client=replace(tls.client, pair=None))
    with pytest.raises(BadTls):
        none.check()
