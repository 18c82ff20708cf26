"""The limits themselves are in `tests/contracts/etcd_api_txns.py`, which etcd passes as well."""

from collections.abc import Callable

import grpc
import pytest

from adapter.registry.embedded_checks import Refusal, check_delete, check_put, check_range, check_txn
from adapter.stubs.etcd.rpc_pb2 import (
    Compare,
    DeleteRangeRequest,
    PutRequest,
    RangeRequest,
    RequestOp,
    TxnRequest,
)


def putting(key: str) -> RequestOp:
    return RequestOp(request_put=PutRequest(key=key.encode()))


def deleting(key: str, range_end: str = "") -> RequestOp:
    return RequestOp(request_delete_range=DeleteRangeRequest(key=key.encode(), range_end=range_end.encode()))


def nested(*success: RequestOp, failure: tuple[RequestOp, ...] = ()) -> RequestOp:
    return RequestOp(request_txn=TxnRequest(success=success, failure=failure))


@pytest.mark.parametrize(
    ("check", "text"),
    [
        pytest.param(lambda: check_range(RangeRequest()), "key is not provided", id="range without key"),
        pytest.param(lambda: check_delete(DeleteRangeRequest()), "key is not", id="delete without key"),
        pytest.param(lambda: check_put(PutRequest()), "key is not provided", id="put without key"),
        pytest.param(
            lambda: check_range(RangeRequest.FromString(b"\x0a\x01a\x28\x09")),  # `sort_order` 9
            "invalid sort option",
            id="order",
        ),
        pytest.param(
            lambda: check_put(PutRequest(key=b"a", value=b"1", ignore_value=True)),
            "value is provided",
            id="value that is to be ignored",
        ),
        pytest.param(
            lambda: check_put(PutRequest(key=b"a", lease=1, ignore_lease=True)),
            "lease is provided",
            id="lease that is to be ignored",
        ),
        pytest.param(
            lambda: check_txn(TxnRequest(failure=[RequestOp()])), "key not found", id="empty operation"
        ),
        pytest.param(
            lambda: check_txn(TxnRequest(success=[nested(failure=(RequestOp(request_put=PutRequest()),))])),
            "key is not provided",
            id="deep inside",
        ),
        pytest.param(
            lambda: check_txn(TxnRequest(compare=[Compare(key=b"a")] * 129)), "too many", id="guards"
        ),
    ],
)
def test_what_is_refused(check: Callable[[], None], text: str) -> None:
    with pytest.raises(Refusal, match=text) as refusal:
        check()
    assert refusal.value.code == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "ops",
    [
        pytest.param([putting("a"), putting("a")], id="twice"),
        pytest.param([putting("b"), deleting("a", "c")], id="put and deleted"),
        pytest.param([nested(putting("a")), nested(putting("a"))], id="by two nested ones"),
        pytest.param([nested(nested(putting("a"))), putting("a")], id="at two depths"),
        pytest.param([deleting("a"), nested(failure=(putting("a"),))], id="deleted here, put in there"),
        pytest.param([nested(deleting("a")), putting("a")], id="deleted in there, put here"),
    ],
)
def test_a_key_is_written_once(ops: list[RequestOp]) -> None:
    for request in (TxnRequest(success=ops), TxnRequest(failure=ops)):
        with pytest.raises(Refusal, match="duplicate key"):
            check_txn(request)


@pytest.mark.parametrize(
    "ops",
    [
        pytest.param([putting("a"), deleting("b", "d"), putting("d")], id="other keys"),
        pytest.param([nested(putting("a"), failure=(putting("a"),))], id="one of two branches"),
        pytest.param([nested(putting("a")), nested(deleting("a"))], id="put, then deleted by another"),
        pytest.param([deleting("a", "c"), deleting("b")], id="deleted twice"),
    ],
)
def test_what_may_be_written_together(ops: list[RequestOp]) -> None:
    check_txn(TxnRequest(success=ops))
