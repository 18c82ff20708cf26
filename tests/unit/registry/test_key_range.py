import pytest

from adapter.registry.key_range import KeyRange


@pytest.mark.parametrize(
    ("key", "range_end", "within", "without"),
    [
        pytest.param(b"a", b"", [b"a"], [b"a\x00", b"", b"b"], id="one key"),
        pytest.param(b"a", b"c", [b"a", b"b", b"bz"], [b"c", b"A"], id="up to an end"),
        pytest.param(b"b", b"\x00", [b"b", b"\xff\xff"], [b"a"], id="every key from it on"),
        pytest.param(b"\x00", b"\x00", [b"\x00", b"a"], [b""], id="every key"),
        pytest.param(b"b", b"a", [], [b"a", b"b"], id="none"),
    ],
)
def test_what_a_request_means(
    key: bytes, range_end: bytes, within: list[bytes], without: list[bytes]
) -> None:
    keys = KeyRange.asked(key, range_end)
    assert all(each in keys for each in within)
    assert not any(each in keys for each in without)
    assert keys.is_empty is not bool(within)


def test_what_is_no_key_is_in_no_range() -> None:
    no_key: object = "a"
    assert no_key not in KeyRange.asked(b"\x00", b"\x00")
