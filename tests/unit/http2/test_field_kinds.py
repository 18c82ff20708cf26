import pytest

from adapter.http2.field_kinds import Kind, kind_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b":path", Kind.PSEUDO),
        (b":status", Kind.MALFORMED),
        (b":protocol", Kind.MALFORMED),
        (b"", Kind.MALFORMED),
        (b"Upper", Kind.MALFORMED),
        (b"with space", Kind.MALFORMED),
        (b"col:on", Kind.MALFORMED),
        (b"nul\x00", Kind.MALFORMED),
        (b"new\nline", Kind.MALFORMED),
        (b"\x7f", Kind.MALFORMED),
        (b"\xe9t\xe9", Kind.MALFORMED),
        (b"connection", Kind.MALFORMED),
        (b"keep-alive", Kind.MALFORMED),
        (b"proxy-connection", Kind.MALFORMED),
        (b"transfer-encoding", Kind.MALFORMED),
        (b"upgrade", Kind.MALFORMED),
        (b"te", Kind.CHECKED),
        (b"mm-model-id", Kind.ID),
        (b"mm-balanced", Kind.ID),
        (b"mm-hops", Kind.PEERS_ONLY),
        (b"mm-refused", Kind.PEERS_ONLY),
        (b"mm-model-record-bin", Kind.PEERS_ONLY),
        (b"tas-model-id", Kind.ID),
        (b"tas-model-id2", Kind.FORWARDED),
        (b"grpc-foo", Kind.NOT_FORWARDED),
        (b"x_y.z-1~", Kind.FORWARDED),
    ],
)
def test_names_say_what_a_field_is(name: bytes, kind: Kind) -> None:
    assert kind_of(name) is kind
