import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from adapter.domain.errors import InvalidRequest
from adapter.servers import admission
from adapter.servers.admission import READ_S_MAX, admission_app

Answer = tuple[int, str]


def decide(review: Mapping[str, Any]) -> Mapping[str, Any]:
    match review:
        case {"wrong": _}:
            raise InvalidRequest("this is no review")
        case {"broken": _}:
            raise KeyError("a bug")
        case _:
            return {"asked": review}


async def ask(*pieces: bytes, path: str = "/ask", method: str = "POST", hangs: bool = False) -> Answer:
    """The answer to a body that comes in pieces, and then perhaps never ends."""
    coming = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    told: list[Any] = []

    async def receive() -> Any:
        if coming:
            return coming.pop(0)
        if hangs:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: Any) -> None:
        told.append(event)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"timeout=5s",
        "headers": [],
        "server": ("webhook", 9443),
        "scheme": "https",
    }
    await admission_app({"/ask": decide})(scope, receive, send)
    return told[0]["status"], told[1]["body"].decode()


async def test_a_review_is_answered() -> None:
    status, body = await ask(b'{"a":', b" 1}")
    assert (status, json.loads(body)) == (200, {"asked": {"a": 1}})


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        pytest.param(b"{", 400, "the body is no JSON", id="no JSON"),
        pytest.param(b'{"wrong": 1}', 400, "this is no review", id="no review"),
    ],
)
async def test_what_cannot_be_read_is_the_callers_fault(body: bytes, status: int, says: str) -> None:
    assert await ask(body) == (status, says)


async def test_a_failure_of_ours_is_logged_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert await ask(b'{"broken": 1}') == (500, "this webhook failed; its log says why")
    (record,) = caplog.records
    assert (record.getMessage(), record.exc_info is not None) == ("a review could not be decided", True)


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [pytest.param("/other", "POST", 404, id="path"), pytest.param("/ask", "GET", 405, id="method")],
)
async def test_nothing_else_is_answered(path: str, method: str, status: int) -> None:
    assert (await ask(b"{}", path=path, method=method))[0] == status


async def test_a_review_has_a_size_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "REVIEW_BYTES_MAX", 10)
    assert await ask(b'"12345678"') == (200, '{"asked":"12345678"}')
    assert (await ask(b'"12345678', b'9"', hangs=True))[0] == 413


async def test_a_review_that_does_not_arrive_is_not_waited_for() -> None:
    began_s = asyncio.get_running_loop().time()
    assert (await ask(b"{", hangs=True))[0] == 408
    assert asyncio.get_running_loop().time() - began_s == READ_S_MAX
