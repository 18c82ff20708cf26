"""What etcd's API promises of watches, and our client relies on."""

import asyncio
from typing import Any

import pytest

from adapter.stubs.etcd import kv_pb2, rpc_pb2
from tests.contracts.etcd_talk import EtcdApi


class WatchContract:
    """A subclass offers the fixture `api`."""

    async def test_a_watch_sees_what_happens_after_it_was_created(self, api: EtcdApi) -> None:
        before = await api.put("before")
        async with api.watching() as watching:
            created = await watching.create()
            assert (created.created, created.header.revision) == (True, before)
            await api.put("iris", b"1")
            await api.delete("iris")
            put, deleted = await watching.events(2)
        assert (put.type, put.kv.value, put.kv.mod_revision) == (kv_pb2.Event.PUT, b"1", before + 1)
        assert deleted == kv_pb2.Event(
            type=kv_pb2.Event.DELETE, kv=kv_pb2.KeyValue(key=api.key("iris"), mod_revision=before + 2)
        )

    async def test_a_watch_from_the_past_has_no_gap(self, api: EtcdApi) -> None:
        start = await api.put("0")
        for number in range(1, 50):
            await api.put(f"{number}")
        async with api.watching() as watching:
            await watching.create(start_revision=start)
            writing = asyncio.gather(*(api.put(f"{number}") for number in range(50, 100)))
            events = await watching.events(100)
            await writing
        assert [each.kv.mod_revision for each in events] == list(range(start, start + 100))

    async def test_what_one_transaction_did_comes_in_one_answer(self, api: EtcdApi) -> None:
        async with api.watching() as watching:
            await watching.create()
            await api.txn(*(api.putting(f"{number:03}") for number in range(128)))
            assert len((await watching.next()).events) == 128

    async def test_a_watch_sees_only_its_keys(self, api: EtcdApi) -> None:
        async with api.watching() as watching:
            await watching.create(key=api.key("iris"), range_end=b"")
            await api.txn(api.putting("iri"), api.putting("iris0"), api.putting("iris/1"))
            await api.put("iris")
            [event] = (await watching.next()).events
        assert event.kv.key == api.key("iris")

    async def test_a_watch_may_want_to_know_what_a_key_had_been(self, api: EtcdApi) -> None:
        await api.put("iris", b"old")
        async with api.watching() as watching:
            await watching.create(prev_kv=True)
            await api.put("iris", b"new")
            await api.delete("iris")
            events = await watching.events(2)
        assert [each.prev_kv.value for each in events] == [b"old", b"new"]

    async def test_a_watch_may_leave_out_puts_or_deletes(self, api: EtcdApi) -> None:
        async with api.watching() as watching:
            first = await watching.create(filters=[rpc_pb2.WatchCreateRequest.NOPUT])
            second = await watching.create(filters=[rpc_pb2.WatchCreateRequest.NODELETE])
            await api.put("iris")
            put = await watching.next()
            await api.delete("iris")
            deleted = await watching.next()
        assert (put.watch_id, put.events[0].type) == (second.watch_id, kv_pb2.Event.PUT)
        assert (deleted.watch_id, deleted.events[0].type) == (first.watch_id, kv_pb2.Event.DELETE)

    async def test_several_watches_share_a_stream(self, api: EtcdApi) -> None:
        async with api.watching() as watching:
            watches = [(await watching.create(key=api.key(name), range_end=b"")).watch_id for name in "abc"]
            assert len(set(watches)) == 3
            await api.txn(*(api.putting(name) for name in "abc"))
            answers = [await watching.next() for _ in watches]
        seen = {each.watch_id: api.names(event.kv for event in each.events) for each in answers}
        assert seen == {watch: [name] for watch, name in zip(watches, "abc", strict=True)}

    async def test_a_watch_that_is_cancelled_sees_no_more(self, api: EtcdApi) -> None:
        async with api.watching() as watching:
            gone = (await watching.create()).watch_id
            stays = (await watching.create()).watch_id
            await watching.ask(cancel_request=rpc_pb2.WatchCancelRequest(watch_id=gone))
            cancelled = await watching.next()
            assert (cancelled.watch_id, cancelled.canceled) == (gone, True)
            await watching.ask(cancel_request=rpc_pb2.WatchCancelRequest(watch_id=12345))
            await api.put("iris")
            assert (await watching.next()).watch_id == stays

    async def test_a_watch_from_before_the_compaction_is_cancelled_and_told_from_where_it_can(
        self, api: EtcdApi
    ) -> None:
        first, _, third = [await api.put("iris") for _ in range(3)]
        await api.kv.Compact(rpc_pb2.CompactionRequest(revision=third))
        async with api.watching() as watching:
            assert (await watching.create(start_revision=first)).created
            cancelled = await watching.next()
            assert (cancelled.canceled, cancelled.compact_revision) == (True, third)
            await watching.create(start_revision=third)
            [event] = (await watching.next()).events
        assert event.kv.mod_revision == third

    async def test_a_watch_may_wait_for_a_revision_to_come(self, api: EtcdApi) -> None:
        revision = await api.put("iris")
        async with api.watching() as watching:
            await watching.create(start_revision=revision + 2)
            await api.put("too early")
            await api.put("mnist")
            [event] = (await watching.next()).events
        assert event.kv.key == api.key("mnist")

    async def test_who_asks_for_progress_hears_of_all_before_it_first(self, api: EtcdApi) -> None:
        async with api.watching() as watching:
            await watching.create()
            await api.put("iris")
            await watching.events(1)
            revision = (await api.all()).header.revision
            await watching.ask(progress_request=rpc_pb2.WatchProgressRequest())
            progress = await watching.next()
        assert not progress.events
        assert not progress.canceled
        assert progress.header.revision >= revision

    @pytest.mark.parametrize(
        ("request_", "reason"),
        [
            pytest.param({"key": b"z", "range_end": b"a"}, "mvcc: watcher range is empty", id="no keys"),
            pytest.param(
                {"start_revision": -1},
                "etcdserver: mvcc: required revision has been compacted",
                id="before the first",
            ),
        ],
    )
    async def test_a_watch_that_makes_no_sense_is_cancelled_at_once(
        self, api: EtcdApi, request_: dict[str, Any], reason: str
    ) -> None:
        async with api.watching() as watching:
            answer = await watching.create(**request_)
            assert (answer.watch_id, answer.created, answer.canceled) == (-1, True, True)
            assert answer.cancel_reason == reason
            assert not (await watching.create()).canceled

    async def test_a_watch_may_be_named_and_named_once(self, api: EtcdApi) -> None:
        async with api.watching() as watching:
            assert (await watching.create(watch_id=7)).watch_id == 7
            again = await watching.create(watch_id=7)
            assert (again.watch_id, again.canceled) == (-1, True)
            await api.put("iris")
            assert (await watching.next()).watch_id == 7
