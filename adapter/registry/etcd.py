"""The registry over etcd's v3 API: `Registry`, below a root of its own.

Every key has the root of the options before it; whoever uses the registry knows nothing of it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, Self

import grpc

from adapter.aio.clock import Clock
from adapter.domain.errors import RegistryUnavailable
from adapter.registry.alongside import alongside
from adapter.registry.backoff import Backoff
from adapter.registry.endpoints import TRY_S_MAX, Endpoints, Line
from adapter.registry.etcd_errors import Silent, Unreachable
from adapter.registry.etcd_keys import EtcdKeys
from adapter.registry.etcd_options import EtcdOptions
from adapter.registry.group_commit import GroupCommit
from adapter.registry.registry import Changes, Entry, LeaseLost, Reset
from adapter.registry.watching import PAGE, Watching
from adapter.stubs.etcd import rpc_pb2 as rpc

CHECK_S_MAX: Final = 20.0
"""An etcd that says nothing gets so long at the start."""
REFUSED_S_MAX: Final = 4.0
"""One that cannot be reached gets so long."""
_DUMMY_KEY: Final = "/__DUMMY_KEY_FOR_TESTING_CONNECTION"


class EtcdRegistry:
    """`Registry` over etcd. Made by `connect`; belongs to the event loop in which it was made."""

    def __init__(self, options: EtcdOptions, clock: Clock) -> None:
        self._clock = clock
        self._keys = EtcdKeys(options.root_prefix)
        self._endpoints = Endpoints(options, clock)
        self._commits = GroupCommit(self._send, clock)

    def __repr__(self) -> str:
        return f"<EtcdRegistry {self._endpoints.names}>"

    @classmethod
    @asynccontextmanager
    async def connect(cls, options: EtcdOptions, clock: Clock) -> AsyncIterator[Self]:
        """A registry; nothing is asked of etcd before it is used, or `check`ed.

        Whoever follows it has stopped when the block is left.
        """
        registry = cls(options, clock)
        try:
            async with alongside(registry._commits.run()):
                yield registry
        finally:
            await registry._endpoints.close()

    @property
    def writes(self) -> int:
        """Keys that were written or deleted through `commit`."""
        return self._commits.writes

    @property
    def transactions(self) -> int:
        """That carried them."""
        return self._commits.transactions

    async def check(self, timeout_s: float = CHECK_S_MAX) -> None:
        """Whether etcd is there and lets us in, as a program asks when it starts.

        One that cannot be reached is tried for `REFUSED_S_MAX`, one that is silent for `timeout_s`; one that
        does not let us in is not asked twice. Raises `RegistryUnavailable`.
        """
        began_s, backoff = self._clock.now_s(), Backoff()
        said = Silent(f"the registry at {self._endpoints.names} did not answer within {timeout_s:g} s")
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    try:
                        await self.get(_DUMMY_KEY)
                    except Silent as error:
                        said = error
                    except Unreachable:
                        if self._clock.now_s() - began_s >= REFUSED_S_MAX:
                            raise
                    else:
                        return
                    await self._clock.sleep(backoff.next_s())
        except TimeoutError:
            raise said from None

    async def get(self, key: str) -> Entry | None:
        found = await self._range(rpc.RangeRequest(key=self._keys.encoded(key)), f"reading {key}")
        return self._keys.entry(found.kvs[0]) if found.kvs else None

    async def scan(self, prefix: str, *, after: str = "", limit: int) -> Sequence[Entry]:
        if limit < 1:
            raise ValueError(f"a scan needs a limit of at least 1, not {limit}")
        key, end = self._keys.below(prefix, after=after)
        entries: list[Entry] = []
        more = end == b"\0" or key < end
        while more and len(entries) < limit:
            wanted = rpc.RangeRequest(key=key, range_end=end, limit=min(limit - len(entries), PAGE))
            page = await self._range(wanted, f"reading what is below {prefix}")
            entries.extend(map(self._keys.entry, page.kvs))
            more = page.more
            if more:
                key = page.kvs[-1].key + b"\0"
        return entries

    async def count(self, prefix: str) -> int:
        key, end = self._keys.below(prefix)
        wanted = rpc.RangeRequest(key=key, range_end=end, count_only=True)
        return (await self._range(wanted, f"counting what is below {prefix}")).count

    async def commit(
        self, writes: Mapping[str, bytes | None], *, guards: Mapping[str, int], lease: int = 0
    ) -> int | None:
        """As the seam has it. After `RegistryUnavailable` it may have been written; the text says so.

        At most `group_commit.OPERATIONS_MAX` keys may be written, and as many guarded.
        """
        encoded = self._keys.encoded
        return await self._commits.submit(
            {encoded(key): value for key, value in writes.items()},
            guards={encoded(key): revision for key, revision in guards.items()},
            lease=lease,
        )

    def follow(self, prefix: str, *, contents: bool = True) -> AsyncIterator[Reset | Changes]:
        watching = Watching(self._endpoints, self._keys, self._clock, prefix=prefix, contents=contents)
        return watching.follow()

    async def grant(self, ttl_s: int) -> int:
        request = rpc.LeaseGrantRequest(TTL=ttl_s)
        # Should the answer be lost, a lease stays behind that nobody uses, and it expires.
        return (await self._endpoints.unary(_grant, request, deed="taking a lease")).ID

    async def keep_alive(self, lease: int) -> None:
        try:
            left_s = await self._kept_alive(lease)
        except RegistryUnavailable:
            # At another endpoint, or with another token, it may go well; to keep it twice does no harm.
            left_s = await self._kept_alive(lease)
        if left_s <= 0:
            raise LeaseLost("the lease has ended (keeping the lease)")

    async def _kept_alive(self, lease: int) -> int:
        line, metadata = await self._endpoints.line()
        stream = line.lease.LeaseKeepAlive(metadata=metadata, timeout=TRY_S_MAX)
        try:
            await stream.write(rpc.LeaseKeepAliveRequest(ID=lease))
            answer = await stream.read()
        except grpc.aio.AioRpcError as error:
            raise self._endpoints.blame(error, line, metadata, deed="keeping the lease") from error
        finally:
            stream.cancel()
        if not isinstance(answer, rpc.LeaseKeepAliveResponse):
            raise Silent(f"the registry at {line.endpoint} did not say whether it keeps the lease")
        return answer.TTL

    async def revoke(self, lease: int) -> None:
        with suppress(LeaseLost):
            await self._endpoints.unary(_revoke, rpc.LeaseRevokeRequest(ID=lease), deed="giving a lease back")

    async def _range(self, request: rpc.RangeRequest, deed: str) -> rpc.RangeResponse:
        return await self._endpoints.unary(_range, request, deed=deed)

    async def _send(self, request: rpc.TxnRequest) -> rpc.TxnResponse:
        return await self._endpoints.unary(_txn, request, deed="writing", writes=True)


def _range(line: Line) -> "grpc.aio.UnaryUnaryMultiCallable[rpc.RangeRequest, rpc.RangeResponse]":
    return line.kv.Range


def _txn(line: Line) -> "grpc.aio.UnaryUnaryMultiCallable[rpc.TxnRequest, rpc.TxnResponse]":
    return line.kv.Txn


def _grant(line: Line) -> "grpc.aio.UnaryUnaryMultiCallable[rpc.LeaseGrantRequest, rpc.LeaseGrantResponse]":
    return line.lease.LeaseGrant


def _revoke(
    line: Line,
) -> "grpc.aio.UnaryUnaryMultiCallable[rpc.LeaseRevokeRequest, rpc.LeaseRevokeResponse]":
    return line.lease.LeaseRevoke
