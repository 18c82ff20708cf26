import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.registry.etcd_keys import EtcdKeys
from adapter.registry.registry import Entry
from adapter.stubs.etcd.kv_pb2 import KeyValue


@pytest.mark.parametrize(
    ("root", "prefix", "after", "begin", "end"),
    [
        pytest.param("", "", "", b"\0", b"\0", id="all"),
        pytest.param("", "", "m", b"m\0", b"\0", id="all after one"),
        pytest.param("r/", "", "", b"r/", b"r0", id="all below the root"),
        pytest.param("r/", "m/", "", b"r/m/", b"r/m0", id="below a prefix"),
        pytest.param("r/", "m/", "m/7", b"r/m/7\0", b"r/m0", id="after one of them"),
        pytest.param("r/", "m/", "a", b"r/m/", b"r/m0", id="after what comes before"),
        pytest.param("", "\udcff", "", b"\xff", b"\0", id="the last byte"),
        pytest.param("", "a\udcff\udcff", "", b"a\xff\xff", b"b", id="ends in last bytes"),
    ],
)
def test_a_prefix_is_a_range(root: str, prefix: str, after: str, begin: bytes, end: bytes) -> None:
    assert EtcdKeys(root).below(prefix, after=after) == (begin, end)


@given(st.text(), st.text(), st.text(min_size=1))
def test_the_range_has_what_begins_alike_and_nothing_else(root: str, prefix: str, key: str) -> None:
    keys = EtcdKeys(root)
    begin, end = keys.below(prefix)
    encoded = keys.encoded(key)
    assert (begin <= encoded and (end == b"\0" or encoded < end)) == key.startswith(prefix)


@given(st.binary())
def test_whatever_somebody_wrote_is_named_and_found_again(name: bytes) -> None:
    keys = EtcdKeys("r/")
    assert keys.encoded(keys.decoded(b"r/" + name)) == b"r/" + name


def test_an_entry_is_named_without_the_root() -> None:
    found = KeyValue(key=b"r/a", value=b"1", mod_revision=7, create_revision=5, version=2, lease=9)
    assert EtcdKeys("r/").entry(found) == Entry(
        key="a", value=b"1", mod_revision=7, create_revision=5, lease=9
    )
