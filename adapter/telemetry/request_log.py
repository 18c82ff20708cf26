"""`MM_LOG_REQUEST_HEADERS`: which headers of a call its log lines tell (reference: ModelMesh core 2.12).

A JSON object, header name to log key: `{"x-request-id": "request_id"}`. Values are the client's: they are
cut, and what is not printable is escaped. `-bin` headers are read as UTF-8.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

HEADERS_MAX = 32
VALUE_CHARS_MAX = 256

_TAKEN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Keys that `logging` keeps for itself."""


class BadRequestLogHeaders(ValueError):
    """The setting cannot be used; the text begins with its variable."""


@dataclass(frozen=True, slots=True)
class RequestLogHeaders:
    """Header names in lower case, and the log key of each; empty: none are told."""

    keys: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.keys)

    @classmethod
    def parse(cls, text: str) -> "RequestLogHeaders":
        """Read the setting; empty is as if unset. Raises `BadRequestLogHeaders`."""
        if not text.strip():
            return cls()
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadRequestLogHeaders(f"MM_LOG_REQUEST_HEADERS: is no JSON: {error}") from error
        if not isinstance(document, dict) or not all(isinstance(key, str) for key in document.values()):
            raise BadRequestLogHeaders(
                'MM_LOG_REQUEST_HEADERS: must be an object of strings, as in {"x-request-id": "request_id"}'
            )
        if len(document) > HEADERS_MAX:
            raise BadRequestLogHeaders(f"MM_LOG_REQUEST_HEADERS: at most {HEADERS_MAX} headers")
        for header, key in document.items():
            if not header or not key or key in _TAKEN:
                raise BadRequestLogHeaders(f"MM_LOG_REQUEST_HEADERS: {header!r} cannot be told as {key!r}")
        return cls({header.lower(): key for header, key in document.items()})

    def fields(self, metadata: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
        """What a line about a call with these metadata has beside; of a header that is repeated, the last."""
        return {self.keys[name]: _told(value) for name, value in metadata if name in self.keys}


def _told(value: str | bytes) -> str:
    text = value if isinstance(value, str) else value.decode(errors="backslashreplace")
    text = text[:VALUE_CHARS_MAX]
    return text if text.isprintable() else text.encode("unicode_escape").decode()
