"""How the contract of etcd's API talks to a server: stubs, and a prefix of each test's own."""

import asyncio
import itertools
import secrets
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import grpc
import pytest

from adapter.stubs.etcd import kv_pb2, rpc_pb2, rpc_pb2_grpc
from adapter.stubs.etcd.rpc_pb2 import Compare

ANSWER_S_MAX = 20.0
CHANNEL = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]

T = TypeVar("T")
_prefixes = (b"%s/%d/" % (secrets.token_hex(4).encode(), number) for number in itertools.count())


async def soon(what: Awaitable[T]) -> T:
    return await asyncio.wait_for(what, ANSWER_S_MAX)


@dataclass(frozen=True, kw_only=True)
class EtcdApi:
    """The stubs of one server, and a prefix that nobody else writes below."""

    kv: Any
    watches: Any
    leases: Any
    auth: Any
    prefix: bytes = field(default_factory=lambda: next(_prefixes))

    @classmethod
    def over(cls, channel: grpc.aio.Channel) -> Self:
        return cls(
            kv=rpc_pb2_grpc.KVStub(channel),
            watches=rpc_pb2_grpc.WatchStub(channel),
            leases=rpc_pb2_grpc.LeaseStub(channel),
            auth=rpc_pb2_grpc.AuthStub(channel),
        )

    def key(self, name: str) -> bytes:
        return self.prefix + name.encode()

    @property
    def end(self) -> bytes:
        return self.prefix[:-1] + b"0"

    def names(self, kvs: Any) -> list[str]:
        return [kv.key.removeprefix(self.prefix).decode() for kv in kvs]

    async def put(self, name: str, value: bytes = b"1", **more: Any) -> int:
        """The revision that wrote it."""
        answer = await self.kv.Put(rpc_pb2.PutRequest(key=self.key(name), value=value, **more))
        return int(answer.header.revision)

    async def get(self, name: str, **more: Any) -> kv_pb2.KeyValue | None:
        answer = await self.kv.Range(rpc_pb2.RangeRequest(key=self.key(name), **more))
        return answer.kvs[0] if answer.kvs else None

    async def all(self, **more: Any) -> rpc_pb2.RangeResponse:
        answer = await self.kv.Range(rpc_pb2.RangeRequest(key=self.prefix, range_end=self.end, **more))
        assert isinstance(answer, rpc_pb2.RangeResponse)
        return answer

    async def delete(self, name: str, **more: Any) -> rpc_pb2.DeleteRangeResponse:
        answer = await self.kv.DeleteRange(rpc_pb2.DeleteRangeRequest(key=self.key(name), **more))
        assert isinstance(answer, rpc_pb2.DeleteRangeResponse)
        return answer

    async def txn(self, *success: rpc_pb2.RequestOp, **more: Any) -> rpc_pb2.TxnResponse:
        answer = await self.kv.Txn(rpc_pb2.TxnRequest(success=success, **more))
        assert isinstance(answer, rpc_pb2.TxnResponse)
        return answer

    def putting(self, name: str, value: bytes = b"1", **more: Any) -> rpc_pb2.RequestOp:
        return rpc_pb2.RequestOp(request_put=rpc_pb2.PutRequest(key=self.key(name), value=value, **more))

    def deleting(self, name: str) -> rpc_pb2.RequestOp:
        return rpc_pb2.RequestOp(request_delete_range=rpc_pb2.DeleteRangeRequest(key=self.key(name)))

    def unchanged(self, name: str, revision: int) -> Compare:
        """The guard of our client."""
        return Compare(key=self.key(name), target=Compare.MOD, result=Compare.EQUAL, mod_revision=revision)

    def guarded(self, guard: Compare, *success: rpc_pb2.RequestOp) -> rpc_pb2.RequestOp:
        return rpc_pb2.RequestOp(request_txn=rpc_pb2.TxnRequest(compare=[guard], success=success))

    async def grant(self, ttl_s: int = 60) -> int:
        answer = await self.leases.LeaseGrant(rpc_pb2.LeaseGrantRequest(TTL=ttl_s))
        return int(answer.ID)

    async def revoke(self, lease: int) -> None:
        await self.leases.LeaseRevoke(rpc_pb2.LeaseRevokeRequest(ID=lease))

    def watching(self) -> "Watching":
        return Watching(self)


class Watching:
    """One watch stream; `async with`, so that it ends with the test."""

    def __init__(self, api: EtcdApi) -> None:
        self._api = api
        self._call = api.watches.Watch()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._call.cancel()

    async def ask(self, **what: Any) -> None:
        await soon(self._call.write(rpc_pb2.WatchRequest(**what)))

    async def create(self, **more: Any) -> rpc_pb2.WatchResponse:
        """A watch of all below the prefix."""
        request = {"key": self._api.prefix, "range_end": self._api.end, **more}
        await self.ask(create_request=rpc_pb2.WatchCreateRequest(**request))
        return await self.next()

    async def next(self) -> rpc_pb2.WatchResponse:
        answer = await soon(self._call.read())
        assert isinstance(answer, rpc_pb2.WatchResponse), answer
        return answer

    async def events(self, count: int) -> list[kv_pb2.Event]:
        """The next so many, however many answers they come in."""
        found: list[kv_pb2.Event] = []
        while len(found) < count:
            found += (await self.next()).events
        assert len(found) == count
        return found


async def refused(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    """The code and the text with which the call ends."""
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await soon(call)
    return refusal.value.code(), refusal.value.details() or ""
