import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from adapter.aio.clock import LoopClock
from adapter.servers.payload_messages import Payload
from adapter.servers.payload_processors import REPORT_S, Outlet, PayloadProcessors
from adapter.servers.payload_sinks import SinkFailed
from adapter.servers.payload_uris import PayloadFilter

INFER = "inference.GRPCInferenceService/ModelInfer"


class FakeSink:
    """Keeps what it is shown; takes `takes_s` for each, and refuses while `fails`."""

    def __init__(self, *, takes_s: float = 0.0) -> None:
        self.shown: list[str] = []
        self.takes_s = takes_s
        self.fails = False
        self.is_closed = False

    async def send(self, payload: Payload) -> None:
        await LoopClock().sleep(self.takes_s)
        if self.fails:
            raise SinkFailed("status 503")
        self.shown.append(payload.id)

    def close(self) -> None:
        self.is_closed = True


def a_payload(name: str = "1", *, model: str = "iris", data: bytes = b"") -> Payload:
    return Payload(id=name, model_id=model, method=INFER, kind="request", data=data)


def outlet(
    sink: FakeSink, *, name: str = "a", model: str = "", capacity: int = 4, bytes_max: int = 100
) -> Outlet:
    return Outlet(name, PayloadFilter(model=model), sink, capacity=capacity, bytes_max=bytes_max)


@asynccontextmanager
async def running(*outlets: Outlet) -> AsyncIterator[PayloadProcessors]:
    processors = PayloadProcessors(list(outlets), LoopClock())
    async with asyncio.TaskGroup() as owner:
        task = owner.create_task(processors.run())
        yield processors
        task.cancel()


async def a_second(count: float = 1) -> None:
    await LoopClock().sleep(count)


async def test_payloads_are_shown_in_order() -> None:
    sink = FakeSink(takes_s=0.1)
    async with running(outlet(sink)) as processors:
        for name in "123":
            processors.offer(a_payload(name))
        assert sink.shown == []  # nobody waited
        await a_second()
        assert sink.shown == ["1", "2", "3"]
    assert sink.is_closed


async def test_each_is_shown_what_it_wants() -> None:
    iris, every = FakeSink(), FakeSink()
    async with running(outlet(iris, model="iris"), outlet(every)) as processors:
        processors.offer(a_payload("1", model="iris"))
        processors.offer(a_payload("2", model="mnist"))
        await a_second()
    assert (iris.shown, every.shown) == (["1"], ["1", "2"])


@pytest.mark.parametrize(
    ("model", "wanted"),
    [pytest.param("iris", True, id="the model"), pytest.param("mnist", False, id="another")],
)
def test_calls_that_nobody_wants_need_not_be_kept(model: str, wanted: bool) -> None:
    processors = PayloadProcessors([outlet(FakeSink(), model="iris")], LoopClock())
    assert processors.wants(model, "", INFER) is wanted


async def test_what_does_not_fit_into_the_queue_is_dropped_and_counted() -> None:
    sink = FakeSink()
    processors = PayloadProcessors([outlet(sink, capacity=2)], LoopClock())
    for name in "1234":
        processors.offer(a_payload(name))
    assert dict(processors.figures()) == {("a", "sent"): 0, ("a", "failed"): 0, ("a", "dropped"): 2}


async def test_bytes_are_bounded_too_and_come_free_again() -> None:
    sink = FakeSink()
    async with running(outlet(sink, bytes_max=100)) as processors:
        processors.offer(a_payload("1", data=bytes(60)))
        processors.offer(a_payload("2", data=bytes(60)))
        await a_second()
        processors.offer(a_payload("3", data=bytes(60)))
        processors.offer(a_payload("4", data=bytes(101)))
        await a_second()
    assert sink.shown == ["1", "3"]


async def test_a_slow_one_does_not_hold_up_another() -> None:
    slow, quick = FakeSink(takes_s=3600), FakeSink()
    async with running(outlet(slow, name="slow"), outlet(quick, name="quick")) as processors:
        processors.offer(a_payload("1"))
        processors.offer(a_payload("2"))
        await a_second()
        assert (slow.shown, quick.shown) == ([], ["1", "2"])


async def test_a_failing_one_is_told_once_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    sink = FakeSink()
    async with running(outlet(sink)) as processors:
        for fails in (True, True, False):
            sink.fails = fails
            processors.offer(a_payload())
            await a_second()
        assert dict(processors.figures()) == {("a", "sent"): 1, ("a", "failed"): 2, ("a", "dropped"): 0}
    assert [record.message for record in caplog.records] == [
        "payload processor does not take payloads",
        "payload processor takes payloads again",
    ]


async def test_losses_are_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    sink = FakeSink(takes_s=10)
    async with running(outlet(sink, capacity=1)) as processors:
        for _ in range(5):
            processors.offer(a_payload())
        await a_second(3 * REPORT_S)
    (line,) = caplog.records
    assert (line.message, vars(line)["lost"]) == ("payloads were lost", 4)


async def test_without_a_setting_there_is_nothing_to_do() -> None:
    processors = PayloadProcessors.parse("", clock=LoopClock())
    assert not processors
    assert not processors.wants("iris", "", INFER)
    task = asyncio.ensure_future(processors.run())
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_those_of_one_host_have_names_of_their_own() -> None:
    processors = PayloadProcessors.parse("http://a/?x http://a/?y logger://*", clock=LoopClock())
    assert {name for (name, _), _ in processors.figures()} == {"http://a (1)", "http://a (2)", "logger"}
