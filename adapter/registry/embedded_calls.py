"""What etcd's calls do to the store, message in and message out; in the thread of the store.

Each checks all of its request before it writes any of it, so that a `Refusal` leaves nothing half done. The
header of what is returned has the revision alone; the server adds who it is.
"""

from collections.abc import Iterator
from operator import eq, gt, lt, ne
from typing import Any, Final

from adapter.registry import embedded_checks as checks
from adapter.registry.embedded_ranges import answer_range, check_revision
from adapter.registry.key_range import KeyRange
from adapter.registry.sqlite_store import Row, SqliteStore
from adapter.stubs.etcd import rpc_pb2
from adapter.stubs.etcd.rpc_pb2 import Compare

COMPARISONS: Final = {Compare.EQUAL: eq, Compare.GREATER: gt, Compare.LESS: lt, Compare.NOT_EQUAL: ne}
ABSENT: Final = Row(b"", b"", 0, 0, 0, 0)


def range_(store: SqliteStore, request: rpc_pb2.RangeRequest) -> rpc_pb2.RangeResponse:
    """See etcd's `KV.Range`. Raises `Refusal`, as all of these do."""
    checks.check_range(request)
    check_revision(store, request)
    return answer_range(store, request)


def put(store: SqliteStore, request: rpc_pb2.PutRequest) -> rpc_pb2.PutResponse:
    """See etcd's `KV.Put`."""
    checks.check_put(request)
    _check_put(store, request)
    with store.change():
        return _put(store, request)


def delete_range(store: SqliteStore, request: rpc_pb2.DeleteRangeRequest) -> rpc_pb2.DeleteRangeResponse:
    """See etcd's `KV.DeleteRange`."""
    checks.check_delete(request)
    with store.change():
        return _delete(store, request)


def txn(store: SqliteStore, request: rpc_pb2.TxnRequest) -> rpc_pb2.TxnResponse:
    """Which branch runs is decided for all that is nested before anything is written, as etcd does."""
    checks.check_txn(request)
    branches = _Branches(store, request)
    for op in branches.all_ops():
        if op.HasField("request_put"):
            _check_put(store, op.request_put)
        elif op.HasField("request_range"):
            check_revision(store, op.request_range)
    with store.change():
        response = _run(store, branches)
    response.header.revision = store.revision
    return response


def compact(store: SqliteStore, request: rpc_pb2.CompactionRequest) -> rpc_pb2.CompactionResponse:
    """What was before this revision can be read no more; the disk has no room of it to give back."""
    if request.revision > store.revision:
        raise checks.future()
    if request.revision <= store.history.compacted:
        raise checks.compacted()
    store.history.compact(request.revision)
    return rpc_pb2.CompactionResponse(header=_header(store))


def grant(store: SqliteStore, request: rpc_pb2.LeaseGrantRequest) -> rpc_pb2.LeaseGrantResponse:
    """The request names the lease; its seconds are brought up to the least there is."""
    if request.TTL > checks.LEASE_TTL_S_MAX:
        raise checks.ttl_too_large()
    if store.has_lease(request.ID):
        raise checks.lease_exists()
    ttl_s = max(request.TTL, checks.LEASE_TTL_S_MIN)
    store.grant(request.ID, ttl_s)
    return rpc_pb2.LeaseGrantResponse(header=_header(store), ID=request.ID, TTL=ttl_s)


def revoke(store: SqliteStore, request: rpc_pb2.LeaseRevokeRequest) -> rpc_pb2.LeaseRevokeResponse:
    """All that was written under the lease is deleted, in one revision."""
    if not store.has_lease(request.ID):
        raise checks.lease_not_found()
    with store.change():
        for row in store.lease_rows(request.ID):
            store.delete(row)
        store.end_lease(request.ID)
    return rpc_pb2.LeaseRevokeResponse(header=_header(store))


class _Branches:
    """A transaction whose guards have been looked at: the operations that run, each nested one likewise."""

    __slots__ = ("nested", "ops", "succeeded")

    def __init__(self, store: SqliteStore, request: rpc_pb2.TxnRequest) -> None:
        self.succeeded = all(_holds(store, compare) for compare in request.compare)
        self.ops = request.success if self.succeeded else request.failure
        self.nested = [
            _Branches(store, op.request_txn) if op.HasField("request_txn") else None for op in self.ops
        ]

    def all_ops(self) -> Iterator[rpc_pb2.RequestOp]:
        """Those that run, at every depth, without the nested transactions themselves."""
        for op, nested in zip(self.ops, self.nested, strict=True):
            if nested is None:
                yield op
            else:
                yield from nested.all_ops()


def _holds(store: SqliteStore, compare: Compare) -> bool:
    """Whether the guard holds for its key, or for every key of its range; where there is none, see below."""
    if compare.range_end:
        keys = KeyRange.asked(compare.key, compare.range_end)
        rows = [] if keys.is_empty else list(store.rows(keys))
    else:
        row = store.get(compare.key)
        rows = [] if row is None else [row]
    if not rows:
        # A key that is not there has revision 0, version 0 and no lease, and no value at all.
        return compare.target != Compare.VALUE and _compares(compare, ABSENT)
    return all(_compares(compare, row) for row in rows)


def _compares(compare: Compare, row: Row) -> bool:
    found: Any
    wanted: Any
    match compare.target:
        case Compare.VERSION:
            found, wanted = row.version, compare.version
        case Compare.CREATE:
            found, wanted = row.create_revision, compare.create_revision
        case Compare.MOD:
            found, wanted = row.mod_revision, compare.mod_revision
        case Compare.LEASE:
            found, wanted = row.lease, compare.lease
        case Compare.VALUE:
            found, wanted = row.value, compare.value
        case _:
            return True
    holds = COMPARISONS.get(compare.result)
    return True if holds is None else bool(holds(found, wanted))


def _check_put(store: SqliteStore, request: rpc_pb2.PutRequest) -> None:
    if request.lease and not store.has_lease(request.lease):
        raise checks.lease_not_found()
    if (request.ignore_value or request.ignore_lease) and store.get(request.key) is None:
        raise checks.key_not_found()


def _put(store: SqliteStore, request: rpc_pb2.PutRequest) -> rpc_pb2.PutResponse:
    before = store.get(request.key)
    kept = before or ABSENT
    value = kept.value if request.ignore_value else request.value
    lease = kept.lease if request.ignore_lease else request.lease
    store.put(request.key, value, lease=lease, before=before)
    response = rpc_pb2.PutResponse(header=rpc_pb2.ResponseHeader(revision=store.revision_now))
    if request.prev_kv and before is not None:
        response.prev_kv.CopyFrom(before.as_message())
    return response


def _delete(store: SqliteStore, request: rpc_pb2.DeleteRangeRequest) -> rpc_pb2.DeleteRangeResponse:
    keys = KeyRange.asked(request.key, request.range_end)
    rows = [] if keys.is_empty else list(store.rows(keys))
    for row in rows:
        store.delete(row)
    return rpc_pb2.DeleteRangeResponse(
        header=rpc_pb2.ResponseHeader(revision=store.revision_now),
        deleted=len(rows),
        prev_kvs=[row.as_message() for row in rows] if request.prev_kv else (),
    )


def _run(store: SqliteStore, branches: _Branches) -> rpc_pb2.TxnResponse:
    response = rpc_pb2.TxnResponse(header=rpc_pb2.ResponseHeader(), succeeded=branches.succeeded)
    for op, nested in zip(branches.ops, branches.nested, strict=True):
        answer = response.responses.add()
        if nested is not None:
            answer.response_txn.CopyFrom(_run(store, nested))
        elif op.HasField("request_put"):
            answer.response_put.CopyFrom(_put(store, op.request_put))
        elif op.HasField("request_delete_range"):
            answer.response_delete_range.CopyFrom(_delete(store, op.request_delete_range))
        else:
            answer.response_range.CopyFrom(answer_range(store, op.request_range))
    return response


def _header(store: SqliteStore) -> rpc_pb2.ResponseHeader:
    return rpc_pb2.ResponseHeader(revision=store.revision)
