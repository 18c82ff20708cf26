import ssl

from cryptography import x509

from adapter.servers.self_signed import self_signed


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
