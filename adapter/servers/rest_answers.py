"""What is answered over HTTP: bodies, statuses, and errors.

An error is `{"error": text, "code": gRPC code, "message": text}`: `error` for the V2 protocol, and `code`
and `message` as ModelMesh's REST proxy has them (reference: runtime adapter 9.3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from adapter.domain.errors import AdapterError, Broken, Code, InvalidRequest, Refused
from adapter.wire.json_fields import encode_json
from adapter.wire.statuses import http_status

Header = tuple[bytes, bytes]

JSON = b"application/json"
OCTETS = b"application/octet-stream"
LENGTH_HEADER = b"inference-header-content-length"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer but for its content length."""

    status: int
    body: bytes
    headers: Sequence[Header]


def json_answer(content: object, status: int = 200) -> HttpAnswer:
    """An answer of these fields."""
    return encoded_answer(encode_json(content), status)


def encoded_answer(body: bytes, status: int = 200) -> HttpAnswer:
    """An answer of JSON that is encoded already."""
    return HttpAnswer(status, body, _JSON_HEADERS)


_JSON_HEADERS: Sequence[Header] = ((b"content-type", JSON),)


def with_headers(answer: HttpAnswer, headers: Sequence[Header]) -> HttpAnswer:
    """The answer, with these headers too."""
    return HttpAnswer(answer.status, answer.body, (*answer.headers, *headers)) if headers else answer


def binary_answer(body: bytes, json_bytes: int) -> HttpAnswer:
    """An answer of so many bytes of JSON with binary tensors behind."""
    length = str(json_bytes).encode("ascii")
    return HttpAnswer(200, body, ((b"content-type", OCTETS), (LENGTH_HEADER, length)))


def error_body(code: Code, text: str) -> bytes:
    """The body of an error; one without a text says its code."""
    text = text or code.name
    return encode_json({"error": text, "code": int(code), "message": text})


class HttpRefusal(Refused):
    """Refused, with a status that its gRPC code alone would not have."""

    status: ClassVar[int]

    def headers(self) -> Sequence[Header]:
        """What the status asks to be told beside the body."""
        return ()


class UnknownPath(HttpRefusal):
    """Nothing is there."""

    code = Code.NOT_FOUND
    status = 404


class WrongMethod(HttpRefusal):
    """The path takes other methods."""

    code = Code.UNIMPLEMENTED
    status = 405

    def __init__(self, text: str, *, allowed: Sequence[str]) -> None:
        super().__init__(text)
        self._allowed = allowed

    def headers(self) -> Sequence[Header]:
        return ((b"allow", ", ".join(self._allowed).encode("ascii")),)


class BodyTooLarge(HttpRefusal):
    """More than a request may have."""

    code = Code.RESOURCE_EXHAUSTED
    status = 413


class EncodingUnknown(HttpRefusal):
    """The body came compressed in a way that is not understood."""

    code = Code.INVALID_ARGUMENT
    status = 415

    def headers(self) -> Sequence[Header]:
        return ((b"accept-encoding", b"gzip, deflate"),)


class BodiesTooMany(Broken):
    """The requests that are being answered take all the memory that they may."""

    code = Code.RESOURCE_EXHAUSTED


class Stopping(Broken):
    """The server stops before the request is answered."""

    code = Code.UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("the server stops; try again")


class CallFailed(AdapterError):
    """The call that a request became ended with an error of this code."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.failed_with = code


def error_answer(error: AdapterError) -> HttpAnswer:
    """What a client is told about an error of ours, or of the runtime's."""
    code = error.failed_with if isinstance(error, CallFailed) else error.code
    status = http_status(code)
    headers = [*_JSON_HEADERS]
    if isinstance(error, HttpRefusal):
        status = error.status
        headers.extend(error.headers())
    if code is Code.UNAUTHENTICATED:
        headers.append((b"www-authenticate", b"Bearer"))  # the status must not come without a challenge
    return HttpAnswer(status, error_body(code, str(error)), headers)


def unforeseen_answer() -> HttpAnswer:
    """What a client is told about an error that nobody foresaw: nothing of it."""
    text = "an unexpected error; the instance's log tells more"
    return encoded_answer(error_body(Code.INTERNAL, text), 500)


def bad_request(problem: Exception) -> InvalidRequest:
    """An error of the body's own, told as such."""
    return InvalidRequest(str(problem))
