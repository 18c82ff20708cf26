"""Our keys and entries as etcd has them: bytes, below a root of our own."""

from typing import Final

from adapter.registry.registry import Entry
from adapter.stubs.etcd.kv_pb2 import KeyValue

_AS_BYTES: Final = "surrogateescape"
"""What somebody else wrote below our root, and is no UTF-8, keeps its bytes."""

_BYTE_MAX: Final = 0xFF
_TO_THE_END: Final = b"\0"


class EtcdKeys:
    """Names below one root; above the registry nobody knows of the root."""

    def __init__(self, root_prefix: str) -> None:
        self._root = root_prefix.encode("utf-8", _AS_BYTES)
        self._root_length = len(self._root)

    def encoded(self, key: str) -> bytes:
        return self._root + key.encode("utf-8", _AS_BYTES)

    def decoded(self, key: bytes) -> str:
        return key[self._root_length :].decode("utf-8", _AS_BYTES)

    def below(self, prefix: str, *, after: str = "") -> tuple[bytes, bytes]:
        """`key` and `range_end` of what begins with `prefix` and comes after `after`."""
        begin = self.encoded(prefix)
        end = _end_of(begin)
        if after:
            begin = max(begin, self.encoded(after) + b"\0")
        return begin or b"\0", end

    def entry(self, found: KeyValue) -> Entry:
        return Entry(
            key=self.decoded(found.key),
            value=found.value,
            mod_revision=found.mod_revision,
            create_revision=found.create_revision,
            lease=found.lease,
        )


def _end_of(prefix: bytes) -> bytes:
    """The first key that comes after all that begin with `prefix`."""
    kept = prefix.rstrip(bytes([_BYTE_MAX]))
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else _TO_THE_END
