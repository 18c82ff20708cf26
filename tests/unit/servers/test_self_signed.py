import ssl

import pytest
from cryptography import x509

from adapter.servers.self_signed import Issued, Presented, good_until_s, issue, names_in, self_signed


def certificate(server: ssl.SSLContext) -> bytes:
    """What a client is shown, by a handshake in memory."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server)
    waiting = [client, server.wrap_bio(to_server, to_client, server_side=True)]
    while waiting:
        end = waiting.pop(0)
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            waiting.append(end)
    return client.getpeercert(binary_form=True) or b""


def test_it_is_in_the_name_of_the_host_and_without_end() -> None:
    shown = x509.load_der_x509_certificate(certificate(self_signed("instance-0")))
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["instance-0"]
    assert shown.issuer == shown.subject
    assert shown.not_valid_after_utc.year == 9999


def test_each_has_a_key_of_its_own() -> None:
    assert certificate(self_signed("a")) != certificate(self_signed("a"))


NOW_S = 1_800_000_000.0
DAY_S = 86_400.0


def shakes_hands(server: ssl.SSLContext, *, trusted: bytes, name: str) -> bool:
    """Whether a client that trusts this authority accepts the server under this name."""
    client_context = ssl.create_default_context(cadata=trusted.decode())
    client_context.verify_flags |= 0x200000  # X509_V_FLAG_NO_CHECK_TIME: the clock here is another one
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    waiting = [client, server.wrap_bio(to_server, to_client, server_side=True)]
    while waiting:
        end = waiting.pop(0)
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            waiting.append(end)
        except ssl.SSLCertVerificationError:
            return False
    return True


@pytest.fixture(name="issued", scope="module")
def _issued() -> Issued:
    return issue(["webhook.ns.svc", "127.0.0.1"], now_s=NOW_S, valid_s=30 * DAY_S)


def test_an_issued_certificate_is_good_for_its_names_with_its_authority(issued: Issued) -> None:
    server = Presented(issued.certificate, issued.key).context
    assert shakes_hands(server, trusted=issued.authority, name="webhook.ns.svc")
    assert shakes_hands(server, trusted=issued.authority, name="127.0.0.1")
    assert not shakes_hands(server, trusted=issued.authority, name="another.ns.svc")
    stranger = issue(["webhook.ns.svc"], now_s=NOW_S, valid_s=DAY_S).authority
    assert not shakes_hands(server, trusted=stranger, name="webhook.ns.svc")


def test_an_issued_certificate_says_until_when_and_for_what(issued: Issued) -> None:
    assert good_until_s(issued.certificate) == NOW_S + 30 * DAY_S
    assert good_until_s(issued.authority) == NOW_S + 30 * DAY_S
    assert names_in(issued.certificate) == {"webhook.ns.svc", "127.0.0.1"}
    assert names_in(issued.authority) == frozenset()


def test_what_is_no_certificate_is_an_error() -> None:
    with pytest.raises(ValueError, match="PEM"):
        good_until_s(b"nothing")


def test_a_certificate_is_replaced_for_the_next_connection(issued: Issued) -> None:
    presented = Presented(issued.certificate, issued.key)
    next_one = issue(["webhook.ns.svc"], now_s=NOW_S, valid_s=DAY_S)
    presented.replace(next_one.certificate, next_one.key)
    assert not shakes_hands(presented.context, trusted=issued.authority, name="webhook.ns.svc")
    assert shakes_hands(presented.context, trusted=next_one.authority, name="webhook.ns.svc")


def test_a_certificate_that_does_not_fit_its_key_is_refused_and_the_old_one_stays(issued: Issued) -> None:
    presented = Presented(issued.certificate, issued.key)
    next_one = issue(["webhook.ns.svc"], now_s=NOW_S, valid_s=DAY_S)
    with pytest.raises(ValueError, match="do not belong together"):
        presented.replace(next_one.certificate, issued.key)
    assert shakes_hands(presented.context, trusted=issued.authority, name="webhook.ns.svc")


def test_the_key_is_not_told(issued: Issued) -> None:
    assert "PRIVATE" not in repr(issued)
