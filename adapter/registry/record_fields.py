"""The fields of a JSON object, taken out one by one and checked; what is left over is kept by the caller.

A field that is null is as good as absent, as in ModelMesh's records (reference: ModelMesh core 3.3).
"""

import json
from typing import Final

import orjson

from adapter.domain.errors import RecordUnreadable

TRANSIENT: Final = "actionable"
"""A hint between the instances of ModelMesh, which is reset whenever a record is read."""


class Fields:
    """The object at one key. All of it raises `RecordUnreadable`, which names the key and the cure."""

    __slots__ = ("_cure", "_fields", "_key")

    def __init__(self, key: str, fields: object, *, cure: str) -> None:
        self._key, self._cure = key, cure
        if not isinstance(fields, dict):
            raise self.unreadable(f"a JSON {type(fields).__name__} instead of an object")
        self._fields: dict[str, object] = fields

    @classmethod
    def parse(cls, key: str, value: bytes, *, cure: str) -> "Fields":
        """Any JSON, also such as no other parser than Python's takes: ModelMesh may have written it."""
        try:
            fields = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise _unreadable(key, f"not JSON ({error})", cure) from error
        return cls(key, fields, cure=cure)

    @classmethod
    def parse_fast(cls, key: str, value: bytes, *, cure: str) -> "Fields":
        """What we write ourselves."""
        try:
            fields = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise _unreadable(key, f"not JSON ({error})", cure) from error
        return cls(key, fields, cure=cure)

    def rest(self) -> dict[str, object]:
        """What was not taken out, to be kept."""
        # An emptied dict still has the room of what was in it.
        return self._fields or {}

    def text(self, name: str, *, default: str = "") -> str:
        value = self._fields.pop(name, None)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.unreadable(f"field {name} is not a text")
        return value

    def whole(self, name: str, *, default: int = 0) -> int:
        value = self._fields.pop(name, None)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.unreadable(f"field {name} is not a whole number")
        return value

    def count(self, name: str, *, default: int = 0) -> int:
        """A whole number that is not negative."""
        value = self.whole(name, default=default)
        if value < 0:
            raise self.unreadable(f"field {name} is negative")
        return value

    def number(self, name: str) -> float:
        value = self._fields.pop(name, None)
        if value is None:
            return 0.0
        if not isinstance(value, float | int) or isinstance(value, bool):
            raise self.unreadable(f"field {name} is not a number")
        return float(value)

    def truth(self, name: str) -> bool:
        value = self._fields.pop(name, None)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self.unreadable(f"field {name} is neither true nor false")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self._fields.pop(name, None)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self.unreadable(f"field {name} is not a list")
        texts = tuple(each for each in value if isinstance(each, str))
        if len(texts) != len(value):
            raise self.unreadable(f"field {name} has an element that is not a text")
        return texts

    def named(self, name: str) -> dict[str, object]:
        """An object."""
        value = self._fields.pop(name, None)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.unreadable(f"field {name} is not an object")
        return value

    def put_back(self, name: str, value: object) -> None:
        """It is not for us after all, and is to be kept."""
        self._fields[name] = value

    def drop(self, name: str) -> None:
        self._fields.pop(name, None)

    def unreadable(self, problem: str) -> RecordUnreadable:
        """The error to raise."""
        return _unreadable(self._key, problem, self._cure)


def _unreadable(key: str, problem: str, cure: str) -> RecordUnreadable:
    return RecordUnreadable(f"the record at {key} in the registry cannot be read: {problem}; {cure}")
