"""The embedded registry's calls against a model of etcd: whatever is asked, in whatever order."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adapter.registry import embedded_calls as calls
from adapter.registry.embedded_checks import Refusal, check_put, check_txn
from adapter.registry.key_range import KeyRange
from adapter.registry.sqlite_store import SqliteStore
from adapter.stubs.etcd import kv_pb2, rpc_pb2
from tests.fakes.etcd_model import EtcdModel, Refused
from tests.fakes.etcd_requests import Request, puts, requests, resolved

CALLS: dict[type, Callable[[SqliteStore, Any], Any]] = {
    rpc_pb2.RangeRequest: calls.range_,
    rpc_pb2.PutRequest: calls.put,
    rpc_pb2.DeleteRangeRequest: calls.delete_range,
    rpc_pb2.TxnRequest: calls.txn,
    rpc_pb2.LeaseGrantRequest: calls.grant,
    rpc_pb2.LeaseRevokeRequest: calls.revoke,
}
REQUESTS = requests()
MEMORY = Path("/dev/shm")
"""Where a file need not wait for a disk."""

EVERY_KEY = KeyRange(b"\x00", b"")


class Broke(Exception):
    """What ends a transaction half way."""


def answer(store: SqliteStore, request: Request) -> Any:
    """The response, or the text of the refusal."""
    try:
        return CALLS[type(request)](store, request)
    except Refusal as refusal:
        return str(refusal)


def expected(model: EtcdModel, request: Request) -> Any:
    try:
        if isinstance(request, rpc_pb2.TxnRequest):
            check_txn(request)
        elif isinstance(request, rpc_pb2.PutRequest):
            check_put(request)
        return model.answer(request)
    except (Refusal, Refused) as refusal:
        return str(refusal)


class EmbeddedCalls(RuleBasedStateMachine):
    """The store beside the model; transactions of several calls, some of which break off; restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.path = Path(self.stack.enter_context(folder)) / "mm.registry"
        self.file = self.stack.enter_context(ExitStack())
        self.model = EtcdModel()
        self.store: SqliteStore

    @initialize()
    def open(self) -> None:
        self.store = self.file.enter_context(SqliteStore.open(self.path))
        self.model.readable = self.model.last

    @rule(data=st.data(), count=st.integers(1, 8))
    def ask(self, data: st.DataObject, count: int) -> None:
        last = self.model.last
        with self.store.transaction() as done:
            for _ in range(count):
                request = resolved(data.draw(REQUESTS), self.model.last)
                assert answer(self.store, request) == expected(self.model, request)
        assert [each.number for each in done.revisions] == list(range(last + 1, self.model.last + 1))

    @rule(request=puts())
    def break_off(self, request: Request) -> None:
        with suppress(Broke), self.store.transaction():
            answer(self.store, request)
            answer(self.store, rpc_pb2.LeaseGrantRequest(ID=11, TTL=60))
            answer(self.store, rpc_pb2.LeaseRevokeRequest(ID=12))
            raise Broke

    @precondition(lambda self: self.model.last > self.model.readable + 5)
    @rule()
    def restart(self) -> None:
        self.file.close()
        self.open()

    @invariant()
    def what_stands_is_what_should(self) -> None:
        with self.store.transaction():
            found = {row.key: row.as_message() for row in self.store.rows(EVERY_KEY)}
        assert found == self.model.now
        assert self.store.revision == self.store.history.last == self.model.last
        assert set(self.store.leases) == self.model.leases

    @invariant()
    def the_history_leads_to_what_stands(self) -> None:
        keys = dict(self.model.at[self.model.readable])
        for revision in self.store.history.since(self.model.readable + 1) or []:
            for happened in revision.events:
                event = kv_pb2.Event.FromString(happened.event + happened.before)
                assert event.prev_kv == keys.pop(happened.key, kv_pb2.KeyValue())
                if event.type == kv_pb2.Event.PUT:
                    keys[happened.key] = event.kv
            assert keys == self.model.at[revision.number]

    def teardown(self) -> None:
        self.stack.close()


TestEmbeddedCalls = EmbeddedCalls.TestCase
TestEmbeddedCalls.settings = settings(max_examples=50, stateful_step_count=10, deadline=None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore.open(tmp_path / "mm.registry") as store, store.transaction():
        yield store


def test_a_past_that_was_compacted_cannot_be_read(store: SqliteStore) -> None:
    for value in (b"1", b"2"):
        calls.put(store, rpc_pb2.PutRequest(key=b"iris", value=value))
    calls.compact(store, rpc_pb2.CompactionRequest(revision=3))
    with pytest.raises(Refusal, match="has been compacted"):
        calls.range_(store, rpc_pb2.RangeRequest(key=b"iris", revision=2))
    with pytest.raises(Refusal, match="has been compacted"):
        calls.compact(store, rpc_pb2.CompactionRequest(revision=3))
    with pytest.raises(Refusal, match="is a future revision"):
        calls.compact(store, rpc_pb2.CompactionRequest(revision=4))


def test_the_least_time_of_a_lease_is_etcds(store: SqliteStore) -> None:
    assert calls.grant(store, rpc_pb2.LeaseGrantRequest(ID=7, TTL=0)).TTL == 2
    with pytest.raises(Refusal, match="too large lease TTL"):
        calls.grant(store, rpc_pb2.LeaseGrantRequest(ID=8, TTL=9_000_000_001))
