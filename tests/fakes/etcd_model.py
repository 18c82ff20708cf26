"""etcd's KV and Lease as simply as can be: a dictionary for every revision.

It does not say what is refused in the shape of a request; see `embedded_checks`, and etcd itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from adapter.stubs.etcd import rpc_pb2
from adapter.stubs.etcd.kv_pb2 import KeyValue
from adapter.stubs.etcd.rpc_pb2 import Compare, RangeRequest, ResponseHeader

Keys = dict[bytes, KeyValue]

COMPACTED = "etcdserver: mvcc: required revision has been compacted"
FUTURE = "etcdserver: mvcc: required revision is a future revision"
NO_LEASE = "etcdserver: requested lease not found"
NO_KEY = "etcdserver: key not found"


class Refused(Exception):
    """With the text of etcd."""


@dataclass
class EtcdModel:
    """Everything that ever was, by revision."""

    at: dict[int, Keys] = field(default_factory=lambda: {1: {}})
    leases: set[int] = field(default_factory=set)
    readable: int = 1
    """What was before this revision is compacted."""
    next: Keys | None = None
    """What the request that is being answered has written."""

    @property
    def last(self) -> int:
        return max(self.at)

    @property
    def now(self) -> Keys:
        return self.at[self.last] if self.next is None else self.next

    def answer(self, request: Any) -> Any:
        """The response, whose header has the revision alone. Raises `Refused`; then nothing has changed."""
        self.next = None
        response = self._methods()[type(request)](request)
        if self.next is not None:
            self.at[self.last + 1] = self.next
            self.next = None
        response.header.revision = self.last
        return response

    def _methods(self) -> dict[type, Callable[[Any], Any]]:
        return {
            rpc_pb2.RangeRequest: self._check_and_read,
            rpc_pb2.PutRequest: self._check_and_put,
            rpc_pb2.DeleteRangeRequest: self._delete,
            rpc_pb2.TxnRequest: self._txn,
            rpc_pb2.LeaseGrantRequest: self._grant,
            rpc_pb2.LeaseRevokeRequest: self._revoke,
        }

    def _header(self) -> ResponseHeader:
        return ResponseHeader(revision=self.last + (self.next is not None))

    def _write(self, key: bytes, kv: KeyValue | None) -> None:
        self.next = dict(self.now)
        if kv is None:
            del self.next[key]
        else:
            self.next[key] = kv

    # Each method.

    def _check_range(self, request: RangeRequest) -> None:
        if request.revision > self.last:
            raise Refused(FUTURE)
        if 0 < request.revision < self.readable:
            raise Refused(COMPACTED)

    def _check_and_read(self, request: RangeRequest) -> rpc_pb2.RangeResponse:
        self._check_range(request)
        return self._range(request)

    def _range(self, request: RangeRequest) -> rpc_pb2.RangeResponse:
        keys = self.at[request.revision] if request.revision > 0 else self.now
        found = [keys[key] for key in sorted(keys) if within(key, request)]
        response = rpc_pb2.RangeResponse(header=self._header(), count=len(found))
        if request.count_only:
            return response
        chosen = [
            kv
            for kv in found
            if kv.mod_revision >= request.min_mod_revision
            and (not request.max_create_revision or kv.create_revision <= request.max_create_revision)
        ]
        if request.sort_order == RangeRequest.DESCEND:
            chosen.reverse()
        response.more = 0 < request.limit < len(chosen)
        for kv in chosen[: request.limit or None]:
            response.kvs.add().CopyFrom(kv)
            if request.keys_only:
                response.kvs[-1].ClearField("value")
                response.kvs[-1].ClearField("lease")
        return response

    def _check_put(self, request: rpc_pb2.PutRequest) -> None:
        if request.lease and request.lease not in self.leases:
            raise Refused(NO_LEASE)
        if (request.ignore_value or request.ignore_lease) and request.key not in self.now:
            raise Refused(NO_KEY)

    def _check_and_put(self, request: rpc_pb2.PutRequest) -> rpc_pb2.PutResponse:
        self._check_put(request)
        return self._put(request)

    def _put(self, request: rpc_pb2.PutRequest) -> rpc_pb2.PutResponse:
        before = self.now.get(request.key)
        old = before or KeyValue(create_revision=self.last + 1)
        kv = KeyValue(
            key=request.key,
            value=old.value if request.ignore_value else request.value,
            create_revision=old.create_revision,
            mod_revision=self.last + 1,
            version=old.version + 1,
            lease=old.lease if request.ignore_lease else request.lease,
        )
        self._write(request.key, kv)
        return rpc_pb2.PutResponse(header=self._header(), prev_kv=before if request.prev_kv else None)

    def _delete(self, request: rpc_pb2.DeleteRangeRequest) -> rpc_pb2.DeleteRangeResponse:
        gone = [self.now[key] for key in sorted(self.now) if within(key, request)]
        for kv in gone:
            self._write(kv.key, None)
        kept = gone if request.prev_kv else []
        return rpc_pb2.DeleteRangeResponse(header=self._header(), deleted=len(gone), prev_kvs=kept)

    def _txn(self, request: rpc_pb2.TxnRequest) -> rpc_pb2.TxnResponse:
        before = self.now
        self._check_branch(request, before)
        return self._run(request, before)

    def _check_branch(self, request: rpc_pb2.TxnRequest, before: Keys) -> None:
        _, ops = branch(request, before)
        for op in ops:
            if op.HasField("request_range"):
                self._check_range(op.request_range)
            elif op.HasField("request_put"):
                self._check_put(op.request_put)
            elif op.HasField("request_txn"):
                self._check_branch(op.request_txn, before)

    def _run(self, request: rpc_pb2.TxnRequest, before: Keys) -> rpc_pb2.TxnResponse:
        succeeded, ops = branch(request, before)
        response = rpc_pb2.TxnResponse(header=ResponseHeader(), succeeded=succeeded)
        for op in ops:
            answer = response.responses.add()
            if op.HasField("request_range"):
                answer.response_range.CopyFrom(self._range(op.request_range))
            elif op.HasField("request_put"):
                answer.response_put.CopyFrom(self._put(op.request_put))
            elif op.HasField("request_delete_range"):
                answer.response_delete_range.CopyFrom(self._delete(op.request_delete_range))
            else:
                answer.response_txn.CopyFrom(self._run(op.request_txn, before))
        return response

    def _grant(self, request: rpc_pb2.LeaseGrantRequest) -> rpc_pb2.LeaseGrantResponse:
        if request.ID in self.leases:
            raise Refused("etcdserver: lease already exists")
        self.leases.add(request.ID)
        return rpc_pb2.LeaseGrantResponse(ID=request.ID, TTL=request.TTL)

    def _revoke(self, request: rpc_pb2.LeaseRevokeRequest) -> rpc_pb2.LeaseRevokeResponse:
        if request.ID not in self.leases:
            raise Refused(NO_LEASE)
        self.leases.remove(request.ID)
        for key, kv in list(self.now.items()):
            if kv.lease == request.ID:
                self._write(key, None)
        return rpc_pb2.LeaseRevokeResponse()


def within(key: bytes, request: RangeRequest | rpc_pb2.DeleteRangeRequest | Compare) -> bool:
    """Whether the key is one that the request names."""
    if not request.range_end:
        return key == request.key
    return request.key <= key and (request.range_end == b"\x00" or key < request.range_end)


def branch(request: rpc_pb2.TxnRequest, keys: Keys) -> tuple[bool, Any]:
    """Whether the guards hold, and what is done then."""
    succeeded = all(holds(guard, keys) for guard in request.compare)
    return succeeded, request.success if succeeded else request.failure


def holds(guard: Compare, keys: Keys) -> bool:
    """Whether it holds for all keys that it names, or for the absence of any."""
    found = [kv for key, kv in keys.items() if within(key, guard)]
    if not found:
        return guard.target != Compare.VALUE and compares(guard, KeyValue())
    return all(compares(guard, kv) for kv in found)


def compares(guard: Compare, kv: KeyValue) -> bool:
    name = ["version", "create_revision", "mod_revision", "value", "lease"][guard.target]
    have, want = getattr(kv, name), getattr(guard, name)
    return bool([have == want, have > want, have < want, have != want][guard.result])
