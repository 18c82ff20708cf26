"""What etcd refuses before it looks at its data, and the words in which it refuses.

Clients tell errors by code and text, so the texts are etcd's own.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

import grpc

from adapter.registry.key_range import KeyRange
from adapter.stubs.etcd import rpc_pb2

OPS_MAX: Final = 128
"""Operations, or guards, of one transaction. What is nested shares what its parents leave."""

REQUEST_BYTES_MAX: Final = 1536 * 1024
LEASE_TTL_S_MAX: Final = 9_000_000_000
LEASE_TTL_S_MIN: Final = 2


class Refusal(Exception):
    """The request is wrong, or what it asks for is not there; nothing was changed."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code


_invalid = partial(partial, Refusal, grpc.StatusCode.INVALID_ARGUMENT)
_out_of_range = partial(partial, Refusal, grpc.StatusCode.OUT_OF_RANGE)
_failed = partial(partial, Refusal, grpc.StatusCode.FAILED_PRECONDITION)

Refusing = Callable[[], Refusal]

key_missing: Refusing = _invalid("etcdserver: key is not provided")
key_not_found: Refusing = _invalid("etcdserver: key not found")
value_given: Refusing = _invalid("etcdserver: value is provided")
lease_given: Refusing = _invalid("etcdserver: lease is provided")
too_many_ops: Refusing = _invalid("etcdserver: too many operations in txn request")
duplicate_key: Refusing = _invalid("etcdserver: duplicate key given in txn request")
bad_sort: Refusing = _invalid("etcdserver: invalid sort option")
too_large: Refusing = _invalid("etcdserver: request is too large")
compacted: Refusing = _out_of_range("etcdserver: mvcc: required revision has been compacted")
future: Refusing = _out_of_range("etcdserver: mvcc: required revision is a future revision")
ttl_too_large: Refusing = _out_of_range("etcdserver: too large lease TTL")
lease_exists: Refusing = _failed("etcdserver: lease already exists")
no_auth: Refusing = _failed("etcdserver: authentication is not enabled")
lease_not_found: Refusing = partial(
    Refusal, grpc.StatusCode.NOT_FOUND, "etcdserver: requested lease not found"
)
too_many_requests: Refusing = partial(
    Refusal, grpc.StatusCode.RESOURCE_EXHAUSTED, "etcdserver: too many requests"
)
stopped: Refusing = partial(Refusal, grpc.StatusCode.UNAVAILABLE, "etcdserver: server stopped")


def check_range(request: rpc_pb2.RangeRequest) -> None:
    """Raises `Refusal`."""
    if not request.key:
        raise key_missing()
    if (
        request.sort_order not in rpc_pb2.RangeRequest.SortOrder.values()
        or request.sort_target not in rpc_pb2.RangeRequest.SortTarget.values()
    ):
        raise bad_sort()


def check_put(request: rpc_pb2.PutRequest) -> None:
    """Raises `Refusal`."""
    if not request.key:
        raise key_missing()
    if request.ignore_value and request.value:
        raise value_given()
    if request.ignore_lease and request.lease:
        raise lease_given()


def check_delete(request: rpc_pb2.DeleteRangeRequest) -> None:
    """Raises `Refusal`."""
    if not request.key:
        raise key_missing()


def check_txn(request: rpc_pb2.TxnRequest) -> None:
    """Its size and its parts, at every depth. Raises `Refusal`."""
    _check_parts(request, ops_max=OPS_MAX)
    for branch in (request.success, request.failure):
        _written(branch)


def _check_parts(request: rpc_pb2.TxnRequest, *, ops_max: int) -> None:
    ops = max(len(request.compare), len(request.success), len(request.failure))
    if ops > ops_max:
        raise too_many_ops()
    if not all(compare.key for compare in request.compare):
        raise key_missing()
    for op in (*request.success, *request.failure):
        match op.WhichOneof("request"):
            case "request_range":
                check_range(op.request_range)
            case "request_put":
                check_put(op.request_put)
            case "request_delete_range":
                check_delete(op.request_delete_range)
            case "request_txn":
                _check_parts(op.request_txn, ops_max=ops_max - ops)
            case _:
                raise key_not_found()


def _written(ops: Sequence[rpc_pb2.RequestOp]) -> tuple[set[bytes], list[KeyRange]]:
    """The keys that these may put, and the ranges that they may delete, at every depth.

    Within one transaction a key is put at most once, and is not put and deleted. Of a nested transaction only
    one branch runs, so that its branches may put the same key; and as etcd has it, a nested transaction may
    delete what one before it puts.
    """
    put: set[bytes] = set()
    deleted = [_deleted(op.request_delete_range) for op in ops if op.HasField("request_delete_range")]
    for op in ops:
        if op.HasField("request_txn"):
            branches = [_written(branch) for branch in (op.request_txn.success, op.request_txn.failure)]
            nested = set().union(*(keys for keys, _ in branches))
            _refuse_twice(nested, put, deleted)
            put |= nested
            deleted += [keys for _, ranges in branches for keys in ranges]
    for op in ops:
        if op.HasField("request_put"):
            _refuse_twice([op.request_put.key], put, deleted)
            put.add(op.request_put.key)
    return put, deleted


def _deleted(request: rpc_pb2.DeleteRangeRequest) -> KeyRange:
    """As etcd has it, this check does not know that an end of one zero byte means that there is none."""
    return KeyRange(request.key, request.range_end or request.key + b"\x00")


def _refuse_twice(keys: Iterable[bytes], put: set[bytes], deleted: Sequence[KeyRange]) -> None:
    if any(key in put or any(key in each for each in deleted) for key in keys):
        raise duplicate_key()
