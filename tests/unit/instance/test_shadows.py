import asyncio
import logging
from collections.abc import Sequence
from typing import Any, cast

import pytest

from adapter.aio.groups import cancelled_at_the_end
from adapter.domain.errors import Code
from adapter.http2.call import Call
from adapter.http2.verdicts import Answer
from adapter.instance import shadows
from adapter.instance.shadows import TIMEOUT_S, Shadows
from adapter.mesh.vmodels import Split
from adapter.servers.relay_server import RelayServer
from adapter.wire.headers import Pair
from tests.unit.instance.calls import RPC, waiting_call
from tests.unit.instance.meshed import AnInstance


class Calls:
    """Where copies are made: each waits for `answers`, if that is not set."""

    def __init__(self, code: Code = Code.OK) -> None:
        self.asked: list[tuple[str, bytes, list[Pair], dict[str, Any]]] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self._answer = Answer(code=code)

    async def unary(self, method: str, message: bytes, *, metadata: Sequence[Pair], **how: Any) -> Answer:
        self.asked.append((method, message, list(metadata), how))
        await self.answers.wait()
        return self._answer


async def cast_all(calls: Calls, *asked: Call) -> Shadows:
    """Cast the shadows of these, and wait until they are over."""
    async with asyncio.TaskGroup() as owner:
        casting = Shadows(owner)
        casting.calls = cast("RelayServer", calls)
        for call in asked:
            casting.cast(call, "shadow")
    return casting


def spied(message: bytes = b"hello", metadata: Sequence[Pair] = ()) -> Call:
    call = waiting_call(message, metadata)
    call.spy()
    return call


async def test_the_shadow_is_asked_the_same_as_a_call_of_its_own() -> None:
    calls = Calls()
    metadata = [("mm-vmodel-id", "newest"), ("user", "me"), ("mm-balanced", "true")]
    casting = await cast_all(calls, spied(b"hello", metadata))
    ((method, message, told, how),) = calls.asked
    assert (method, message) == (RPC, b"hello")
    assert told == [("user", "me"), ("mm-model-id-bin", b"shadow")]
    assert how == {"timeout_s": TIMEOUT_S, "inner": True}
    assert (casting.sent, casting.dropped) == (1, 0)


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\1\0\0\0\1x", id="a compressed message"),
        pytest.param(b"\0\0\0\0\1x\0\0\0\0\1y", id="two messages"),
        pytest.param(b"\0\0\0\0\2x", id="a part of a message"),
    ],
)
async def test_what_is_not_one_plain_message_casts_no_shadow(request_bytes: bytes) -> None:
    calls, call = Calls(), spied()
    call.spied_request = [request_bytes[:3], request_bytes[3:]]
    await cast_all(calls, call)
    assert not calls.asked


async def test_a_call_casts_no_shadow_if_it_was_not_kept_or_is_part_of_another() -> None:
    calls, inner = Calls(), spied()
    inner.inner = True
    await cast_all(calls, waiting_call(b"hello"), inner)
    assert not calls.asked


async def test_only_so_many_are_cast_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadows, "AT_ONCE_MAX", 2)
    calls = Calls()
    calls.answers.clear()
    async with cancelled_at_the_end() as owner:
        casting = Shadows(owner)
        casting.calls = cast("RelayServer", calls)
        for _ in range(3):
            casting.cast(spied(), "shadow")
        await asyncio.sleep(1)
        assert (len(calls.asked), casting.sent, casting.dropped) == (2, 0, 1)
        calls.answers.set()
        await asyncio.sleep(1)
        casting.cast(spied(), "shadow")
        await asyncio.sleep(1)
        assert (casting.sent, casting.dropped) == (3, 1)


async def test_a_shadow_that_fails_is_told_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    casting = await cast_all(Calls(Code.INTERNAL), spied())
    (record,) = caplog.records
    assert (vars(record)["model"], vars(record)["code"]) == ("shadow", "INTERNAL")
    assert casting.sent == 1


async def test_an_alias_with_a_shadow_answers_from_its_model(instance: AnInstance) -> None:
    for name in ("seen", "shadow"):
        await instance.registered(name)
    await instance.aliased("newest", "seen", split=Split(shadow="shadow"))
    answer = await instance.ask(b"hello", metadata=[("mm-vmodel-id", "newest")])
    assert (answer.code, answer.message) == (Code.OK, b"hello")
    assert instance.inference.models == ["seen"]
    await asyncio.sleep(1)
    assert instance.inference.models == ["seen", "shadow"]
    assert instance.inference.message == b"hello"
