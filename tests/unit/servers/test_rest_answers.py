import json

import pytest

from adapter.domain.errors import AdapterError, Code, InvalidRequest, ModelNotFound
from adapter.servers.rest_answers import (
    BodiesTooMany,
    BodyTooLarge,
    CallFailed,
    EncodingUnknown,
    WrongMethod,
    bad_request,
    binary_answer,
    error_answer,
    json_answer,
)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidRequest("x"), 400, Code.INVALID_ARGUMENT),
        (ModelNotFound("x"), 404, Code.NOT_FOUND),
        (BodyTooLarge("x"), 413, Code.RESOURCE_EXHAUSTED),
        (BodiesTooMany("x"), 429, Code.RESOURCE_EXHAUSTED),
        (CallFailed(Code.DEADLINE_EXCEEDED, "x"), 504, Code.DEADLINE_EXCEEDED),
        (CallFailed(Code.UNIMPLEMENTED, "x"), 501, Code.UNIMPLEMENTED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, AdapterError) else None,
)
def test_an_error_speaks_both_protocols(error: AdapterError, status: int, code: Code) -> None:
    answer = error_answer(error)
    assert answer.status == status
    assert json.loads(answer.body) == {"error": "x", "code": code, "message": "x"}


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (WrongMethod("x", allowed=("GET", "HEAD")), (b"allow", b"GET, HEAD")),
        (EncodingUnknown("x"), (b"accept-encoding", b"gzip, deflate")),
        (CallFailed(Code.UNAUTHENTICATED, "x"), (b"www-authenticate", b"Bearer")),
    ],
    ids=["another method", "another encoding", "no credentials"],
)
def test_some_statuses_must_say_more(error: AdapterError, header: tuple[bytes, bytes]) -> None:
    assert header in error_answer(error).headers


def test_an_error_without_a_text_says_its_code() -> None:
    assert json.loads(error_answer(CallFailed(Code.INTERNAL, "")).body)["error"] == "INTERNAL"


def test_answers_say_what_they_are() -> None:
    assert json_answer({"a": 1}).headers == ((b"content-type", b"application/json"),)
    assert (b"inference-header-content-length", b"1") in binary_answer(b"{...", 1).headers
    assert str(bad_request(ValueError("data: odd"))) == "data: odd"
