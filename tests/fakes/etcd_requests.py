"""Random requests of etcd's API, over so few keys that they meet."""

from typing import Any

from hypothesis import strategies as st

from adapter.stubs.etcd import rpc_pb2
from adapter.stubs.etcd.rpc_pb2 import Compare, RangeRequest, RequestOp

Request = Any
"""Any of those of KV and Lease."""

KEYS = st.sampled_from([b"a", b"a/1", b"b", b"c"])
VALUES = st.sampled_from([b"", b"x", b"y"])
LEASES = st.sampled_from([0, 0, 0, 11, 12])
ENDS = st.sampled_from([b"", b"", b"b", b"d", b"a", b"\x00"])
LAST = 1 << 40
"""In a request that was drawn, this stands for the last revision of the server: see `resolved`."""

BACK = st.sampled_from([0, 0, 0, LAST, LAST - 1, LAST - 2, LAST - 5, LAST + 1, LAST + 1000])
NEAR = st.one_of(st.integers(0, 3), st.integers(LAST - 3, LAST))
SELDOM = st.sampled_from([False, False, False, True])


def ranges() -> st.SearchStrategy[RangeRequest]:
    return st.builds(
        RangeRequest,
        key=KEYS,
        range_end=ENDS,
        limit=st.integers(0, 3),
        revision=BACK,
        # By key alone, for etcd leaves open how equals are sorted.
        sort_order=st.sampled_from(RangeRequest.SortOrder.values()),
        count_only=SELDOM,
        keys_only=SELDOM,
        min_mod_revision=st.sampled_from([0, 0, 0, LAST - 2]),
        max_create_revision=st.sampled_from([0, 0, 0, LAST - 2]),
    )


def puts() -> st.SearchStrategy[rpc_pb2.PutRequest]:
    return st.builds(
        rpc_pb2.PutRequest,
        key=KEYS,
        value=VALUES,
        lease=LEASES,
        prev_kv=st.booleans(),
        ignore_value=SELDOM,
        ignore_lease=SELDOM,
    )


def deletes() -> st.SearchStrategy[rpc_pb2.DeleteRangeRequest]:
    return st.builds(rpc_pb2.DeleteRangeRequest, key=KEYS, range_end=ENDS, prev_kv=st.booleans())


def guards() -> st.SearchStrategy[Compare]:
    wanted = st.one_of(
        st.builds(lambda n: {"target": Compare.VERSION, "version": n}, NEAR),
        st.builds(lambda n: {"target": Compare.CREATE, "create_revision": n}, NEAR),
        st.builds(lambda n: {"target": Compare.MOD, "mod_revision": n}, NEAR),
        st.builds(lambda v: {"target": Compare.VALUE, "value": v}, VALUES),
        st.builds(lambda n: {"target": Compare.LEASE, "lease": n}, LEASES),
    )
    return st.builds(
        lambda key, end, result, target: Compare(key=key, range_end=end, result=result, **target),
        KEYS,
        ENDS,
        st.sampled_from(Compare.CompareResult.values()),
        wanted,
    )


def txns(*, depth: int = 2) -> st.SearchStrategy[rpc_pb2.TxnRequest]:
    ops = [
        st.builds(RequestOp, request_range=ranges()),
        st.builds(RequestOp, request_put=puts()),
        st.builds(RequestOp, request_put=puts()),
        st.builds(RequestOp, request_delete_range=deletes()),
    ]
    if depth:
        ops += [st.builds(RequestOp, request_txn=txns(depth=depth - 1))] * 2
    branch = st.lists(st.one_of(ops), max_size=3)
    return st.builds(
        rpc_pb2.TxnRequest, compare=st.lists(guards(), max_size=2), success=branch, failure=branch
    )


def requests() -> st.SearchStrategy[Request]:
    """Any request, to be `resolved`."""
    leases = st.sampled_from([11, 12])
    return st.one_of(
        puts(),
        deletes(),
        ranges(),
        txns(),
        txns(),
        st.builds(rpc_pb2.LeaseGrantRequest, ID=leases, TTL=st.just(60)),
        st.builds(rpc_pb2.LeaseRevokeRequest, ID=leases),
    )


def resolved(request: Request, last: int) -> Request:
    """The request for a server whose last revision this is: to make a strategy for each would take long."""
    mine = type(request)()
    mine.CopyFrom(request)
    _resolve(mine, last)
    return mine


def _resolve(message: Any, last: int) -> None:
    for field, value in message.ListFields():
        if isinstance(value, int) and value > LAST // 2:
            setattr(message, field.name, max(value - LAST + last, 0))
        elif field.type == field.TYPE_MESSAGE:
            for each in value if field.is_repeated else [value]:
                _resolve(each, last)
