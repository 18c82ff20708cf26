"""What etcd's API promises of transactions, and our client relies on."""

import asyncio
from typing import Any

import grpc
import pytest

from adapter.stubs.etcd import rpc_pb2
from adapter.stubs.etcd.rpc_pb2 import Compare
from tests.contracts.etcd_talk import EtcdApi, refused


class TxnContract:
    """A subclass offers the fixture `api`."""

    async def test_all_writes_of_a_transaction_have_one_revision(self, api: EtcdApi) -> None:
        await api.put("old")
        answer = await api.txn(api.putting("a"), api.putting("b"), api.deleting("old"))
        assert answer.succeeded
        revisions = {kv.mod_revision for kv in (await api.all()).kvs}
        assert revisions == {answer.header.revision}
        assert api.names((await api.all()).kvs) == ["a", "b"]

    async def test_of_two_writers_with_one_view_the_second_loses(self, api: EtcdApi) -> None:
        revision = await api.put("iris", b"0")
        tries = [
            await api.txn(api.putting("iris", value), compare=[api.unchanged("iris", revision)])
            for value in (b"a", b"b")
        ]
        assert [each.succeeded for each in tries] == [True, False]
        assert tries[1].header.revision == tries[0].header.revision
        found = await api.get("iris")
        assert found is not None
        assert found.value == b"a"

    async def test_of_many_at_once_one_creates_the_key(self, api: EtcdApi) -> None:
        guard = api.unchanged("iris", 0)
        tries = (api.txn(api.putting("iris", bytes([n])), compare=[guard]) for n in range(50))
        assert [each.succeeded for each in await asyncio.gather(*tries)].count(True) == 1

    async def test_when_the_guard_fails_the_other_branch_runs(self, api: EtcdApi) -> None:
        await api.put("iris", b"there")
        reading = rpc_pb2.RequestOp(request_range=rpc_pb2.RangeRequest(key=api.key("iris")))
        guard = api.unchanged("iris", 0)
        answer = await api.txn(api.putting("iris"), compare=[guard], failure=[reading])
        assert not answer.succeeded
        assert [kv.value for kv in answer.responses[0].response_range.kvs] == [b"there"]

    @pytest.mark.parametrize(
        ("guard", "holds"),
        [
            pytest.param({"target": Compare.VERSION, "version": 2}, True, id="version"),
            pytest.param({"target": Compare.VERSION, "version": 1}, False, id="another version"),
            pytest.param(
                {"target": Compare.VERSION, "result": Compare.GREATER, "version": 1}, True, id="greater"
            ),
            pytest.param({"target": Compare.VERSION, "result": Compare.LESS, "version": 2}, False, id="less"),
            pytest.param({"target": Compare.VALUE, "value": b"new"}, True, id="value"),
            pytest.param(
                {"target": Compare.VALUE, "result": Compare.NOT_EQUAL, "value": b"new"}, False, id="not value"
            ),
            pytest.param({"target": Compare.LEASE, "lease": 0}, True, id="no lease"),
            pytest.param({"target": Compare.CREATE, "create_revision": 0}, False, id="not there"),
        ],
    )
    async def test_what_a_guard_can_ask_of_a_key(
        self, api: EtcdApi, guard: dict[str, Any], holds: bool
    ) -> None:
        await api.put("iris", b"old")
        await api.put("iris", b"new")
        assert (await api.txn(compare=[Compare(key=api.key("iris"), **guard)])).succeeded is holds

    async def test_a_key_that_is_not_there_has_revision_0_and_no_value(self, api: EtcdApi) -> None:
        for target in (Compare.VERSION, Compare.CREATE, Compare.MOD, Compare.LEASE):
            assert (await api.txn(compare=[Compare(key=api.key("iris"), target=target)])).succeeded
        value = Compare(key=api.key("iris"), target=Compare.VALUE, result=Compare.NOT_EQUAL, value=b"1")
        assert not (await api.txn(compare=[value])).succeeded

    async def test_nested_transactions_fail_one_by_one(self, api: EtcdApi) -> None:
        await api.put("taken")
        answer = await api.txn(
            *(api.guarded(api.unchanged(name, 0), api.putting(name, b"mine")) for name in ("a", "taken", "b"))
        )
        assert answer.succeeded
        assert [each.response_txn.succeeded for each in answer.responses] == [True, False, True]
        found = {kv.key: kv.value for kv in (await api.all()).kvs}
        assert found == {api.key("a"): b"mine", api.key("b"): b"mine", api.key("taken"): b"1"}

    async def test_nested_guards_see_what_was_before_all_of_it(self, api: EtcdApi) -> None:
        answer = await api.txn(api.putting("a"), api.guarded(api.unchanged("a", 0), api.putting("b")))
        assert answer.responses[1].response_txn.succeeded

    async def test_a_hundred_nested_transactions_are_taken(self, api: EtcdApi) -> None:
        ops = [api.guarded(api.unchanged(f"{n}", 0), api.putting(f"{n}")) for n in range(100)]
        assert len((await api.txn(*ops)).responses) == 100
        assert (await api.all(count_only=True)).count == 100

    @pytest.mark.parametrize(
        ("outer", "inner", "fits"),
        [
            pytest.param(128, 0, True, id="128 flat"),
            pytest.param(129, 0, False, id="129 flat"),
            pytest.param(127, 1, True, id="127 nested"),
            pytest.param(128, 1, False, id="128 nested"),
            pytest.param(100, 28, True, id="100 of 28"),
            pytest.param(100, 29, False, id="100 of 29"),
        ],
    )
    async def test_a_transaction_has_so_many_operations_at_most(
        self, api: EtcdApi, outer: int, inner: int, fits: bool
    ) -> None:
        ops = [api.putting(f"{n}") for n in range(outer)]
        if inner:
            nested = [[api.putting(f"{n}/{m}") for m in range(inner)] for n in range(outer)]
            ops = [rpc_pb2.RequestOp(request_txn=rpc_pb2.TxnRequest(success=each)) for each in nested]
        if fits:
            assert (await api.txn(*ops)).succeeded
        else:
            code, text = await refused(api.txn(*ops))
            assert (code, text) == (
                grpc.StatusCode.INVALID_ARGUMENT,
                "etcdserver: too many operations in txn request",
            )

    async def test_a_key_is_written_once_in_a_transaction(self, api: EtcdApi) -> None:
        everything = rpc_pb2.DeleteRangeRequest(key=api.prefix, range_end=api.end)
        free = api.unchanged("other", 0)
        tries = [
            api.txn(api.putting("a"), api.putting("a")),
            api.txn(api.putting("a"), api.deleting("a")),
            api.txn(api.putting("a"), rpc_pb2.RequestOp(request_delete_range=everything)),
            api.txn(api.guarded(free, api.putting("a")), api.guarded(free, api.putting("a"))),
            api.txn(api.guarded(free, api.putting("a")), api.putting("a")),
        ]
        told = {await refused(each) for each in tries}
        assert told == {(grpc.StatusCode.INVALID_ARGUMENT, "etcdserver: duplicate key given in txn request")}
        assert (await api.all()).count == 0

    async def test_when_one_write_is_refused_nothing_is_written(self, api: EtcdApi) -> None:
        code, _ = await refused(api.txn(api.putting("a"), api.putting("b", lease=2**40)))
        assert code == grpc.StatusCode.NOT_FOUND
        assert (await api.all()).count == 0
