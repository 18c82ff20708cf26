"""What etcd's API promises of keys and values, and our client relies on."""

import grpc

from adapter.stubs.etcd import kv_pb2, rpc_pb2
from adapter.stubs.etcd.rpc_pb2 import Compare
from tests.contracts.etcd_talk import EtcdApi, refused


class KeyValueContract:
    """A subclass offers the fixture `api`."""

    async def test_a_key_knows_its_creation_its_last_change_and_how_often_it_was_written(
        self, api: EtcdApi
    ) -> None:
        first, second = await api.put("iris"), await api.put("iris", b"2")
        found = await api.get("iris")
        assert found == kv_pb2.KeyValue(
            key=api.key("iris"), value=b"2", create_revision=first, mod_revision=second, version=2
        )

    async def test_each_change_has_the_next_revision(self, api: EtcdApi) -> None:
        first, second = await api.put("iris"), await api.put("mnist")
        deleted = (await api.delete("iris")).header.revision
        assert (second, deleted) == (first + 1, first + 2)

    async def test_what_changes_nothing_has_no_revision_of_its_own(self, api: EtcdApi) -> None:
        revision = await api.put("iris")
        answer = await api.delete("mnist")
        assert (answer.deleted, answer.header.revision) == (0, revision)
        assert (await api.txn()).header.revision == revision

    async def test_what_is_created_anew_begins_anew(self, api: EtcdApi) -> None:
        await api.put("iris")
        await api.delete("iris")
        revision = await api.put("iris")
        found = await api.get("iris")
        assert found is not None
        assert (found.create_revision, found.version) == (revision, 1)

    async def test_who_changes_a_key_may_see_what_it_had_been(self, api: EtcdApi) -> None:
        await api.put("iris", b"old")
        put = rpc_pb2.PutRequest(key=api.key("iris"), value=b"new", prev_kv=True)
        assert (await api.kv.Put(put)).prev_kv.value == b"old"
        assert [kv.value for kv in (await api.delete("iris", prev_kv=True)).prev_kvs] == [b"new"]

    async def test_all_answers_come_from_one_cluster(self, api: EtcdApi) -> None:
        headers = [(await api.all()).header, (await api.txn()).header, (await api.delete("x")).header]
        assert len({(each.cluster_id, each.member_id, each.raft_term) for each in headers}) == 1
        assert all((headers[0].cluster_id, headers[0].member_id, headers[0].raft_term))

    async def test_a_range_is_in_order_of_the_bytes_of_the_keys(self, api: EtcdApi) -> None:
        names = ["b", "a/b", "a", "a0", "é", "模型", "\x00"]
        for name in names:
            await api.put(name)
        assert api.names((await api.all()).kvs) == sorted(names)

    async def test_a_page_says_how_many_there_are_and_whether_more_follow(self, api: EtcdApi) -> None:
        await api.txn(*(api.putting(f"{number:02}") for number in range(10)))
        page = await api.all(limit=3)
        assert (api.names(page.kvs), page.more, page.count) == (["00", "01", "02"], True, 10)
        last = await api.kv.Range(rpc_pb2.RangeRequest(key=api.key("07"), range_end=api.end, limit=3))
        assert (api.names(last.kvs), last.more, last.count) == (["07", "08", "09"], False, 3)

    async def test_pages_at_one_revision_do_not_see_what_came_after(self, api: EtcdApi) -> None:
        await api.txn(*(api.putting(f"{number:02}") for number in range(0, 20, 2)))
        page = await api.all(limit=4)
        revision, found = page.header.revision, api.names(page.kvs)
        await api.txn(*(api.putting(f"{number:02}", b"2") for number in range(1, 20, 2)))
        await api.txn(api.deleting("08"), api.putting("10", b"2"))
        while page.more:
            start = page.kvs[-1].key + b"\x00"
            request = rpc_pb2.RangeRequest(key=start, range_end=api.end, limit=4, revision=revision)
            page = await api.kv.Range(request)
            found += api.names(page.kvs)
            assert {kv.value for kv in page.kvs} == {b"1"}
            assert page.header.revision == revision + 2
        assert found == [f"{number:02}" for number in range(0, 20, 2)]

    async def test_keys_can_be_counted_or_named_without_their_values(self, api: EtcdApi) -> None:
        await api.txn(api.putting("a", b"x"), api.putting("b", b"y"))
        counted, named = await api.all(count_only=True), await api.all(keys_only=True)
        assert (counted.count, list(counted.kvs)) == (2, [])
        assert [(kv.value, kv.version) for kv in named.kvs] == [(b"", 1), (b"", 1)]

    async def test_a_range_without_end_goes_on_to_the_last_key(self, api: EtcdApi) -> None:
        await api.txn(api.putting("a"), api.putting("b"))
        request = rpc_pb2.RangeRequest(key=api.key("b"), range_end=b"\x00")
        assert api.key("b") in [kv.key for kv in (await api.kv.Range(request)).kvs]
        empty = rpc_pb2.RangeRequest(key=api.end, range_end=api.prefix)
        assert (await api.kv.Range(empty)).count == 0

    async def test_a_range_can_be_sorted_and_filtered_by_revision(self, api: EtcdApi) -> None:
        revisions = [await api.put(name) for name in ("b", "c", "a")]
        by_age = {"sort_target": rpc_pb2.RangeRequest.CREATE, "sort_order": rpc_pb2.RangeRequest.ASCEND}
        oldest = await api.all(**by_age, limit=1)
        assert (api.names(oldest.kvs), oldest.more) == (["b"], True)
        since = await api.all(min_mod_revision=revisions[1])
        assert api.names(since.kvs) == ["a", "c"]

    async def test_the_future_cannot_be_read(self, api: EtcdApi) -> None:
        code, text = await refused(api.get("iris", revision=2**40))
        assert (code, text) == (
            grpc.StatusCode.OUT_OF_RANGE,
            "etcdserver: mvcc: required revision is a future revision",
        )

    async def test_a_request_without_a_key_is_refused(self, api: EtcdApi) -> None:
        asked = [
            api.kv.Put(rpc_pb2.PutRequest()),
            api.kv.Range(rpc_pb2.RangeRequest()),
            api.kv.DeleteRange(rpc_pb2.DeleteRangeRequest()),
            api.txn(compare=[Compare()]),
            api.txn(rpc_pb2.RequestOp(request_put=rpc_pb2.PutRequest())),
        ]
        told = [await refused(call) for call in asked]
        assert set(told) == {(grpc.StatusCode.INVALID_ARGUMENT, "etcdserver: key is not provided")}

    async def test_a_request_that_is_too_large_is_refused(self, api: EtcdApi) -> None:
        just_fits = 1536 * 1024 - 200
        await api.put("fits", bytes(just_fits))
        code, text = await refused(api.put("iris", bytes(1536 * 1024)))
        assert (code, text) == (grpc.StatusCode.INVALID_ARGUMENT, "etcdserver: request is too large")
        code, _ = await refused(api.put("iris", bytes(4 * 1024 * 1024)))
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED

    async def test_compaction_is_told_to_who_reads_before_it(self, api: EtcdApi) -> None:
        first, _, third = [await api.put("iris", value) for value in (b"1", b"2", b"3")]
        await api.kv.Compact(rpc_pb2.CompactionRequest(revision=third))
        kept = await api.get("iris", revision=third)
        assert kept is not None
        code, text = await refused(api.get("iris", revision=first))
        assert (code, text) == (
            grpc.StatusCode.OUT_OF_RANGE,
            "etcdserver: mvcc: required revision has been compacted",
        )
        again = api.kv.Compact(rpc_pb2.CompactionRequest(revision=third))
        assert (await refused(again))[0] == grpc.StatusCode.OUT_OF_RANGE
        later = api.kv.Compact(rpc_pb2.CompactionRequest(revision=third + 1000))
        assert (await refused(later))[0] == grpc.StatusCode.OUT_OF_RANGE

    async def test_without_users_nobody_can_sign_in(self, api: EtcdApi) -> None:
        call = api.auth.Authenticate(rpc_pb2.AuthenticateRequest(name="root", password="secret"))
        assert await refused(call) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "etcdserver: authentication is not enabled",
        )
