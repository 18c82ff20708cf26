"""What etcd does with a transaction: guards first, nothing twice, all or nothing, and its bounds."""

import asyncio
from collections.abc import Iterator, Sequence

from adapter.domain.errors import AdapterError, InvalidRequest
from adapter.registry.registry import LeaseLost
from adapter.stubs.etcd import rpc_pb2 as rpc

OPERATIONS_MAX = 128
BYTES_MAX = 1_572_864


class FakeTxns:
    """Carries out `TxnRequest`s, each in `takes_s`; `sent` has them all."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.mod_revisions: dict[bytes, int] = {}
        self.revision = 1
        self.leases = {0}
        self.sent: list[rpc.TxnRequest] = []
        self.sent_s: list[float] = []
        self.takes_s = 0.002
        self.error: AdapterError | None = None

    async def send(self, request: rpc.TxnRequest) -> rpc.TxnResponse:
        self.sent.append(request)
        self.sent_s.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.takes_s)
        if self.error is not None:
            raise self.error
        return self._carried_out(request)

    @property
    def members(self) -> list[int]:
        """How many operations each transaction had in the outer one."""
        return [len(request.success) for request in self.sent]

    def _carried_out(self, request: rpc.TxnRequest) -> rpc.TxnResponse:
        _check_bounds(request, OPERATIONS_MAX)
        if request.ByteSize() > BYTES_MAX:
            raise InvalidRequest("etcdserver: request is too large")
        keys = [key for key, _ in _writes(request.success)]
        if len(keys) != len(set(keys)):
            raise InvalidRequest("etcdserver: duplicate key given in txn request")
        passed = [self._passes(operation) for operation in request.success]
        done = [operation for operation, passes in zip(request.success, passed, strict=True) if passes]
        if any(operation.request_put.lease not in self.leases for operation in _leaves(done)):
            raise LeaseLost("etcdserver: requested lease not found")
        changes = [(key, value) for key, value in _writes(done) if value is not None or key in self.values]
        self.revision += bool(changes)
        for key, value in changes:
            if value is None:
                del self.values[key], self.mod_revisions[key]
            else:
                self.values[key], self.mod_revisions[key] = value, self.revision
        response = rpc.TxnResponse(header=rpc.ResponseHeader(revision=self.revision), succeeded=True)
        for operation, passes in zip(request.success, passed, strict=True):
            told = response.responses.add()
            if operation.HasField("request_txn"):
                told.response_txn.succeeded = passes
        return response

    def _passes(self, operation: rpc.RequestOp) -> bool:
        guards = operation.request_txn.compare
        return all(self.mod_revisions.get(guard.key, 0) == guard.mod_revision for guard in guards)


def _check_bounds(request: rpc.TxnRequest, allowed: int) -> None:
    used = max(len(request.compare), len(request.success))
    if used > allowed:
        raise InvalidRequest("etcdserver: too many operations in txn request")
    for operation in request.success:
        if operation.HasField("request_txn"):
            _check_bounds(operation.request_txn, allowed - used)


def _leaves(operations: Sequence[rpc.RequestOp]) -> Iterator[rpc.RequestOp]:
    for operation in operations:
        if operation.HasField("request_txn"):
            yield from _leaves(operation.request_txn.success)
        else:
            yield operation


def _writes(operations: Sequence[rpc.RequestOp]) -> list[tuple[bytes, bytes | None]]:
    return [
        (leaf.request_put.key, leaf.request_put.value)
        if leaf.HasField("request_put")
        else (leaf.request_delete_range.key, None)
        for leaf in _leaves(operations)
    ]
