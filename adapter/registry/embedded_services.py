"""What the embedded registry answers to each call of etcd's KV, Watch, Lease and Auth.

The store does the work, in its thread (`embedded_calls`); here are the streams, the life of the leases, and
the limits of what may go on at once.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, NoReturn, Protocol, TypeVar

import grpc

from adapter.aio.clock import Clock
from adapter.domain.errors import RegistryUnavailable
from adapter.registry import embedded_calls as calls
from adapter.registry import embedded_checks as checks
from adapter.registry.alongside import alongside
from adapter.registry.embedded import StoreThread
from adapter.registry.embedded_checks import Refusal
from adapter.registry.embedded_leases import Leases
from adapter.registry.embedded_watch import WatchStream
from adapter.registry.sqlite_store import Committed, SqliteStore
from adapter.stubs.etcd import rpc_pb2

log = logging.getLogger(__name__)

LEASES_MAX: Final = 10_000
STREAMS_MAX: Final = 1_000
"""Watch streams, and as many streams that keep leases alive."""

EXPIRY_EVERY_S: Final = 0.5
STOPPED_S_MIN: Final = 2.0
"""Who looks at the leases so much later than it meant to was stopped, and has heard nobody."""

PROGRESS_EVERY_S: Final = 600.0

Context = grpc.aio.ServicerContext[Any, Any]


class _Response(Protocol):
    @property
    def header(self) -> rpc_pb2.ResponseHeader: ...


ResponseT = TypeVar("ResponseT", bound=_Response)


class State:
    """What the services share."""

    def __init__(self, thread: StoreThread, clock: Clock) -> None:
        self._thread = thread
        self.clock = clock
        self.identity, self.history, leases = thread.opened
        self.leases = Leases(leases, now_s=clock.now_s())
        self.watching: set[WatchStream] = set()
        self._stopping = asyncio.Event()
        thread.listen(self._committed)

    def stop(self) -> None:
        """End the streams; the calls in flight go on."""
        self._stopping.set()

    def header(self, revision: int | None = None) -> rpc_pb2.ResponseHeader:
        """With this revision, or with the one that the store has."""
        return rpc_pb2.ResponseHeader(
            cluster_id=self.identity.cluster_id,
            member_id=self.identity.member_id,
            revision=self.history.last if revision is None else revision,
            raft_term=self.identity.raft_term,
        )

    async def answered(self, context: Context, do: Callable[[SqliteStore], ResponseT]) -> ResponseT:
        """Have the store do it; what comes of it, signed. An error ends the call."""
        try:
            response = await self._thread.ask(do)
        except (Refusal, RegistryUnavailable) as error:
            await end_with(context, error)
        response.header.MergeFrom(self.header(response.header.revision))
        return response

    @asynccontextmanager
    async def streaming(self, context: Context, streams: int) -> AsyncIterator[None]:
        """While inside, a stream is served, until the server stops; there are so many like it."""
        try:
            if streams >= STREAMS_MAX:
                raise checks.too_many_requests()
            async with alongside(self._until_stopped()):
                yield
        except Refusal as refusal:
            await end_with(context, refusal)

    async def _until_stopped(self) -> None:
        await self._stopping.wait()
        raise checks.stopped()

    def _committed(self, done: Committed) -> None:
        if done.leases:
            self.leases.changed(done.leases, now_s=self.clock.now_s())
        if done.revisions:
            for stream in self.watching:
                stream.wake()

    async def end_leases(self) -> None:
        """For ever: those whose time is over end, with all that was written under them."""
        looked_s = self.clock.now_s()
        while True:
            await self.clock.sleep(EXPIRY_EVERY_S)
            now_s = self.clock.now_s()
            late_s = now_s - looked_s - EXPIRY_EVERY_S
            looked_s = now_s
            if late_s > STOPPED_S_MIN:
                self.leases.postpone(late_s)
                log.warning("the registry stood still; leases live longer by that", extra={"seconds": late_s})
            await asyncio.gather(*map(self._end, self.leases.due(now_s=now_s)))

    async def _end(self, lease: int) -> None:
        try:
            await self._thread.ask(lambda store: calls.revoke(store, rpc_pb2.LeaseRevokeRequest(ID=lease)))
        except Refusal:
            pass  # somebody has revoked it meanwhile
        except RegistryUnavailable as error:
            log.warning(
                "a lease that is over cannot be ended yet", extra={"lease": lease, "error": str(error)}
            )
        else:
            log.info("a lease has ended", extra={"lease": lease})

    async def remind(self) -> None:
        """For ever: tell watches that asked for it how far they are."""
        while True:
            await self.clock.sleep(PROGRESS_EVERY_S)
            for stream in self.watching:
                stream.remind()


class KV:
    """Keys and values."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def range_(self, request: rpc_pb2.RangeRequest, context: Context) -> rpc_pb2.RangeResponse:
        return await self._state.answered(context, lambda store: calls.range_(store, request))

    async def put(self, request: rpc_pb2.PutRequest, context: Context) -> rpc_pb2.PutResponse:
        await _check_size(context, request)
        return await self._state.answered(context, lambda store: calls.put(store, request))

    async def delete_range(
        self, request: rpc_pb2.DeleteRangeRequest, context: Context
    ) -> rpc_pb2.DeleteRangeResponse:
        await _check_size(context, request)
        return await self._state.answered(context, lambda store: calls.delete_range(store, request))

    async def txn(self, request: rpc_pb2.TxnRequest, context: Context) -> rpc_pb2.TxnResponse:
        await _check_size(context, request)
        return await self._state.answered(context, lambda store: calls.txn(store, request))

    async def compact(
        self, request: rpc_pb2.CompactionRequest, context: Context
    ) -> rpc_pb2.CompactionResponse:
        return await self._state.answered(context, lambda store: calls.compact(store, request))


class Watch:
    """What happens to keys."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def watch(self, request_iterator: AsyncIterator[rpc_pb2.WatchRequest], context: Context) -> None:
        state = self._state
        stream = WatchStream(state.history, header=state.header, send=context.write)
        async with state.streaming(context, len(state.watching)):
            state.watching.add(stream)
            try:
                await stream.run(request_iterator)
            finally:
                state.watching.discard(stream)


class Lease:
    """Who is alive."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._streams = 0

    async def grant(self, request: rpc_pb2.LeaseGrantRequest, context: Context) -> rpc_pb2.LeaseGrantResponse:
        if len(self._state.leases) >= LEASES_MAX:
            await end_with(context, checks.too_many_requests())
        request.ID = request.ID or secrets.randbits(62) + 1
        return await self._state.answered(context, lambda store: calls.grant(store, request))

    async def revoke(
        self, request: rpc_pb2.LeaseRevokeRequest, context: Context
    ) -> rpc_pb2.LeaseRevokeResponse:
        return await self._state.answered(context, lambda store: calls.revoke(store, request))

    async def keep_alive(
        self, request_iterator: AsyncIterator[rpc_pb2.LeaseKeepAliveRequest], context: Context
    ) -> None:
        state = self._state
        async with state.streaming(context, self._streams):
            self._streams += 1
            try:
                async for request in request_iterator:
                    ttl_s = state.leases.keep_alive(request.ID, now_s=state.clock.now_s())
                    await context.write(
                        rpc_pb2.LeaseKeepAliveResponse(header=state.header(), ID=request.ID, TTL=ttl_s)
                    )
            finally:
                self._streams -= 1

    async def time_to_live(
        self, request: rpc_pb2.LeaseTimeToLiveRequest, context: Context
    ) -> rpc_pb2.LeaseTimeToLiveResponse:
        def keys(store: SqliteStore) -> rpc_pb2.LeaseTimeToLiveResponse:
            rows = store.lease_rows(request.ID) if request.keys else ()
            return rpc_pb2.LeaseTimeToLiveResponse(
                header=rpc_pb2.ResponseHeader(revision=store.revision), keys=[row.key for row in rows]
            )

        response = await self._state.answered(context, keys)
        left = self._state.leases.left_s(request.ID, now_s=self._state.clock.now_s())
        response.ID = request.ID
        response.TTL, response.grantedTTL = (-1, 0) if left is None else left
        return response


class Auth:
    """There is none, as in an etcd where it is not enabled."""

    async def authenticate(
        self, request: rpc_pb2.AuthenticateRequest, context: Context
    ) -> rpc_pb2.AuthenticateResponse:
        del request
        await end_with(context, checks.no_auth())


async def _check_size(
    context: Context, request: rpc_pb2.PutRequest | rpc_pb2.DeleteRangeRequest | rpc_pb2.TxnRequest
) -> None:
    if request.ByteSize() > checks.REQUEST_BYTES_MAX:
        await end_with(context, checks.too_large())


async def end_with(context: Context, error: Refusal | RegistryUnavailable) -> NoReturn:
    """The call ends with this error."""
    code = error.code if isinstance(error, Refusal) else grpc.StatusCode.UNAVAILABLE
    await context.abort(code, str(error))
