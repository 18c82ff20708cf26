"""Who hears of what is in `tests/contracts/etcd_api_watches.py`; here is what takes a slow client to see."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from adapter.registry import embedded_watch
from adapter.registry.embedded_history import Happened, History, Revision
from adapter.registry.embedded_watch import NO_WATCH, WatchStream
from adapter.stubs.etcd import kv_pb2, rpc_pb2

SOON_S = 1.0
Response = rpc_pb2.WatchResponse


def happened(revision: int, key: bytes = b"iris", *, value: bytes = b"") -> Happened:
    kv = kv_pb2.KeyValue(key=key, mod_revision=revision, value=value)
    return Happened(key, kv_pb2.Event(kv=kv).SerializeToString(), b"")


async def a_moment() -> None:
    """Until all has been done that can be."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()


class Client:
    """What a client asks, and what it has taken; it takes only as much as it is let."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.asked = asyncio.Queue[rpc_pb2.WatchRequest]()
        self.told = asyncio.Queue[Response](maxsize=1)
        self.stream = WatchStream(history, header=self.header, send=self.told.put)

    def header(self, revision: int) -> rpc_pb2.ResponseHeader:
        return rpc_pb2.ResponseHeader(revision=revision)

    async def requests(self) -> AsyncIterator[rpc_pb2.WatchRequest]:
        while True:
            yield await self.asked.get()

    def ask(self, **what: Any) -> None:
        self.asked.put_nowait(rpc_pb2.WatchRequest(**what))

    def create(self, **more: Any) -> None:
        request = {"key": b"\x00", "range_end": b"\x00", **more}
        self.ask(create_request=rpc_pb2.WatchCreateRequest(**request))

    async def next(self) -> Response:
        return await asyncio.wait_for(self.told.get(), SOON_S)

    async def hears_nothing(self) -> bool:
        try:
            await self.next()
        except TimeoutError:
            return True
        return False

    def write(self, *revisions: int, value: bytes = b"") -> None:
        self.history.append(Revision(each, [happened(each, value=value)]) for each in revisions)
        self.stream.wake()


@asynccontextmanager
async def a_client(**bounds: int) -> AsyncIterator[Client]:
    client = Client(History(1, **bounds))
    running = asyncio.ensure_future(client.stream.run(client.requests()))
    yield client
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def revisions(answer: Response) -> list[int]:
    return [event.kv.mod_revision for event in answer.events]


async def test_who_is_slow_hears_of_all_that_is_still_known() -> None:
    async with a_client() as client:
        client.create()
        assert (await client.next()).created
        for revision in range(2, 100):
            client.write(revision)
        heard: list[int] = []
        while len(heard) < 98:
            heard += revisions(await client.next())
        assert heard == list(range(2, 100))
        assert await client.hears_nothing()


async def test_who_falls_behind_what_is_known_is_sent_away_and_told_from_where_to_go_on() -> None:
    async with a_client(revisions_max=10) as client:
        client.create()
        client.create()
        created = [(await client.next()).watch_id for _ in range(2)]
        for revision in range(2, 60):
            client.write(revision)
            await a_moment()
        told: list[Response] = []
        while len(told) < 2:
            answer = await client.next()
            told += [answer] if answer.canceled else []
        assert {each.watch_id for each in told} == set(created)
        assert {each.compact_revision for each in told} == {client.history.first}
        client.write(60)
        assert await client.hears_nothing()
        client.create(start_revision=60)
        assert (await client.next()).created
        assert revisions(await client.next()) == [60]


async def test_a_large_past_comes_in_parts_none_of_which_promises_more_than_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedded_watch, "ANSWER_BYTES_MAX", 1000)
    async with a_client() as client:
        client.write(2, 3, 4, 5, value=bytes(600))
        client.create(start_revision=2)
        assert (await client.next()).created
        parts = [await client.next() for _ in range(2)]
    assert [revisions(part) for part in parts] == [[2, 3], [4, 5]]
    assert [part.header.revision for part in parts] == [3, 5]


async def test_no_watch_waits_for_another_though_there_is_always_news() -> None:
    async with a_client() as client:
        for _ in range(3):
            client.create()
        for _ in range(3):
            assert (await client.next()).created
        client.write(2)
        client.ask(progress_request=rpc_pb2.WatchProgressRequest())
        told = []
        for revision in range(3, 20):
            told.append((await client.next()).watch_id)
            client.write(revision)
        assert set(told[:4]) == {0, 1, 2, NO_WATCH}


async def test_after_the_answer_to_a_cancellation_nothing_is_told() -> None:
    async with a_client() as client:
        client.write(2, 3)
        client.create(start_revision=2, watch_id=7)
        client.ask(cancel_request=rpc_pb2.WatchCancelRequest(watch_id=7))
        client.create(watch_id=8)
        answers = [await client.next()]
        while answers[-1].watch_id != 8:
            answers.append(await client.next())
        client.write(4)
        assert (await client.next()).watch_id == 8
    assert [answer.watch_id for answer in answers if answer.canceled] == [7]
    assert not answers[-2].events


async def test_idle_watches_that_want_to_are_told_how_far_they_are() -> None:
    async with a_client() as client:
        client.create(progress_notify=True, watch_id=1)
        client.create(progress_notify=True, watch_id=2, key=b"other", range_end=b"")
        client.create(watch_id=3)
        client.create(progress_notify=True, watch_id=4, start_revision=100)
        for _ in range(4):
            assert (await client.next()).created
        client.write(2)
        assert {(await client.next()).watch_id for _ in range(2)} == {1, 3}
        client.stream.remind()
        answers = [await client.next() for _ in range(2)]
        assert [each.watch_id for each in answers] == [2, 4]
        assert [(each.header.revision, revisions(each)) for each in answers] == [(2, []), (2, [])]
        assert await client.hears_nothing()
        client.stream.remind()
        assert {(await client.next()).watch_id for _ in range(3)} == {1, 2, 4}


async def test_who_takes_nothing_is_not_reminded_for_ever() -> None:
    async with a_client() as client:
        for number in range(3):
            client.create(progress_notify=True, watch_id=number + 1)
        for _ in range(1000):
            client.stream.remind()
            await a_moment()
        assert len(client.stream._controls) <= 3


async def test_a_stream_has_so_many_watches_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_watch, "WATCHES_MAX", 2)
    async with a_client() as client:
        for _ in range(3):
            client.create()
        answers = [await client.next() for _ in range(3)]
    assert [answer.canceled for answer in answers] == [False, False, True]
    assert answers[2].cancel_reason == "etcdserver: too many requests"


async def test_what_a_client_asks_is_not_read_while_it_takes_no_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedded_watch, "CONTROLS_MAX", 5)
    async with a_client() as client:
        for _ in range(100):
            client.create()
        await a_moment()
        assert len(client.stream._controls) <= 5
        for _ in range(100):
            assert (await client.next()).created


async def test_a_client_that_asks_no_more_still_hears() -> None:
    async def one() -> AsyncIterator[rpc_pb2.WatchRequest]:
        create = rpc_pb2.WatchCreateRequest(key=b"iris")
        yield rpc_pb2.WatchRequest(create_request=create)

    client = Client(History(1))
    running = asyncio.ensure_future(client.stream.run(one()))
    assert (await client.next()).created
    client.write(2)
    assert revisions(await client.next()) == [2]
    running.cancel()


async def test_a_request_that_nobody_knows_is_skipped() -> None:
    async with a_client() as client:
        client.ask()
        client.create()
        assert (await client.next()).created
