"""Which keys are meant: one, or those from a first up to an end, as etcd's calls name them."""

from typing import Final, NamedTuple, Self

NO_END: Final = b""
"""As `KeyRange.end`: every key from the start on."""

EVERY_KEY_FROM: Final = b"\x00"
"""As `range_end` of a request."""


class KeyRange(NamedTuple):
    """The keys from `start` on that come before `end`; perhaps none."""

    start: bytes
    end: bytes

    @classmethod
    def asked(cls, key: bytes, range_end: bytes) -> Self:
        """What `key` and `range_end` of a request mean: without an end this key alone."""
        if not range_end:
            return cls(key, key + b"\x00")
        return cls(key, NO_END if range_end == EVERY_KEY_FROM else range_end)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and self.start <= key and (not self.end or key < self.end)

    @property
    def is_empty(self) -> bool:
        """Whether no key can be in it."""
        return bool(self.end) and self.end <= self.start
