"""One `Watch` stream of the embedded registry: several watches, each of which follows the history.

A watch is a place in the history that all share, so that a slow client costs nothing: it is told when it
takes the answers. One that falls behind what the history still knows is cancelled, as etcd cancels those that
ask for what was compacted, and its client reads anew.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapter.registry.alongside import alongside
from adapter.registry.embedded_checks import compacted, too_many_requests
from adapter.registry.embedded_history import Happened, History, Revision
from adapter.registry.key_range import KeyRange
from adapter.stubs.etcd import kv_pb2, rpc_pb2

WATCHES_MAX: Final = 1_000
"""On one stream."""

CONTROLS_MAX: Final = 1_000
"""What was asked for on one stream and is not answered yet; meanwhile no more is read from it."""

REVISIONS_AT_ONCE: Final = 1_000
ANSWER_BYTES_MAX: Final = 512 * 1024
"""An answer with this much in it takes no further revision; a revision is never split."""

NO_WATCH: Final = -1
"""As `watch_id`: the answer is about no watch, or about one that was not created."""

EMPTY_RANGE: Final = "mvcc: watcher range is empty"
DUPLICATE_ID: Final = "mvcc: duplicate watch ID provided on the WatchStream"

Create = rpc_pb2.WatchCreateRequest
Send = Callable[[rpc_pb2.WatchResponse], Awaitable[None]]


@dataclass(slots=True, kw_only=True, eq=False)
class Watch:
    """What one watch wants to know, and from where on it does not know it yet."""

    watch_id: int
    keys: KeyRange
    next_revision: int
    prev_kv: bool
    progress: bool
    unwanted: frozenset[int]
    """Types of events."""
    is_idle: bool = field(default=True)
    """Nothing was sent since it was last told how far it is."""

    @classmethod
    def asked(cls, request: Create, *, watch_id: int, next_revision: int) -> "Watch":
        """What the request means."""
        types = {Create.NOPUT: kv_pb2.Event.PUT, Create.NODELETE: kv_pb2.Event.DELETE}
        return cls(
            watch_id=watch_id,
            keys=KeyRange.asked(request.key or b"\x00", request.range_end),
            next_revision=next_revision,
            prev_kv=request.prev_kv,
            progress=request.progress_notify,
            unwanted=frozenset(types[each] for each in request.filters if each in types),
        )

    def of_interest(self, revision: Revision) -> Iterator[kv_pb2.Event]:
        """The events of the revision that it wants to know."""
        for happened in revision.events:
            if happened.key in self.keys:
                event = self._event(happened)
                if event.type not in self.unwanted:
                    yield event

    def _event(self, happened: Happened) -> kv_pb2.Event:
        return kv_pb2.Event.FromString(happened.event + happened.before if self.prev_kv else happened.event)


class WatchStream:
    """The watches of one stream. `run` serves it; `wake` says that there is news."""

    def __init__(
        self, history: History, *, header: Callable[[int], rpc_pb2.ResponseHeader], send: Send
    ) -> None:
        self._history = history
        self._header = header
        self._send = send
        self._watches: dict[int, Watch] = {}
        self._controls: deque[rpc_pb2.WatchResponse] = deque()
        self._progress_asked_at: int | None = None
        self._next_id = 0
        self._woken = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def __repr__(self) -> str:
        return f"<WatchStream with {len(self._watches)} watches>"

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    def remind(self) -> None:
        """Tell those watches that want it, and that nothing was sent to lately, how far they are."""
        if self._controls:
            return  # the client does not even take what it has asked for
        for watch in self._watches.values():
            if watch.progress and watch.is_idle and watch.next_revision > self._history.last:
                self._controls.append(self._answer(watch.watch_id))
            watch.is_idle = True
        self.wake()

    async def run(self, requests: AsyncIterator[rpc_pb2.WatchRequest]) -> None:
        """Until it is cancelled; a client that asks no more may still want to know."""
        async with alongside(self._take_all(requests)):
            await self._send_for_ever()

    # What the client asks for.

    async def _take_all(self, requests: AsyncIterator[rpc_pb2.WatchRequest]) -> None:
        async for request in requests:
            await self._room.wait()
            self._take(request)

    def _take(self, request: rpc_pb2.WatchRequest) -> None:
        match request.WhichOneof("request_union"):
            case "create_request":
                self._create(request.create_request)
            case "cancel_request":
                watch_id = request.cancel_request.watch_id
                if self._watches.pop(watch_id, None) is not None:
                    self._control(self._answer(watch_id, canceled=True))
            case "progress_request":
                self._progress_asked_at = self._history.last
                self.wake()
            case _:
                pass  # of a newer client; etcd skips it as well

    def _create(self, request: Create) -> None:
        watch_id = request.watch_id or self._free_id()
        start = request.start_revision or self._history.last + 1
        watch = Watch.asked(request, watch_id=watch_id, next_revision=start)
        complaint = None
        if len(self._watches) >= WATCHES_MAX:
            complaint = str(too_many_requests())
        elif watch.keys.is_empty:
            complaint = EMPTY_RANGE
        elif request.start_revision < 0:
            complaint = str(compacted())
        elif watch_id in self._watches:
            complaint = DUPLICATE_ID
        if complaint is not None:
            self._control(self._answer(NO_WATCH, created=True, canceled=True, cancel_reason=complaint))
            return
        self._watches[watch_id] = watch
        self._control(self._answer(watch_id, created=True))

    def _free_id(self) -> int:
        while self._next_id in self._watches:
            self._next_id += 1
        self._next_id += 1
        return self._next_id - 1

    def _control(self, answer: rpc_pb2.WatchResponse) -> None:
        self._controls.append(answer)
        if len(self._controls) >= CONTROLS_MAX:
            self._room.clear()
        self.wake()

    # What the client is told.

    async def _send_for_ever(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            while await self._send_round():
                pass

    async def _send_round(self) -> bool:
        """One answer to each watch that is behind, so that none waits for another. Whether any still is."""
        await self._send_controls()
        are_behind = [await self._send_news(watch) for watch in list(self._watches.values())]
        asked_at = self._progress_asked_at
        if asked_at is not None and all(each.next_revision > asked_at for each in self._watches.values()):
            self._progress_asked_at = None
            await self._send(self._answer(NO_WATCH, asked_at))
        return any(are_behind)

    async def _send_controls(self) -> None:
        while self._controls:
            await self._send(self._controls.popleft())
            self._room.set()

    async def _send_news(self, watch: Watch) -> bool:
        """At most one answer. Whether there is more."""
        await self._send_controls()  # what was cancelled meanwhile hears of that first
        if self._watches.get(watch.watch_id) is not watch or watch.next_revision > self._history.last:
            return False
        revisions = self._history.since(watch.next_revision, limit=REVISIONS_AT_ONCE)
        if revisions is None:
            await self._send_away(watch)
            return False
        answer = self._news(watch, revisions)
        if answer.events:
            watch.is_idle = False
            await self._send(answer)
        return watch.next_revision <= self._history.last

    def _news(self, watch: Watch, revisions: Sequence[Revision]) -> rpc_pb2.WatchResponse:
        """What the first of these revisions have for the watch, which now knows them."""
        answer = self._answer(watch.watch_id)
        size_bytes = 0
        for revision in revisions:
            for event in watch.of_interest(revision):
                answer.events.append(event)
                size_bytes += event.ByteSize()
            watch.next_revision = revision.number + 1
            if size_bytes >= ANSWER_BYTES_MAX:
                break
        # Not the store's revision, as etcd has it: a client that resumes after it must have seen all before.
        answer.header.revision = watch.next_revision - 1
        return answer

    async def _send_away(self, watch: Watch) -> None:
        """What it would have to be told next is forgotten."""
        del self._watches[watch.watch_id]
        first = self._history.first
        await self._send(
            rpc_pb2.WatchResponse(
                header=self._header(0), watch_id=watch.watch_id, canceled=True, compact_revision=first
            )
        )

    def _answer(
        self,
        watch_id: int,
        revision: int | None = None,
        *,
        created: bool = False,
        canceled: bool = False,
        cancel_reason: str = "",
    ) -> rpc_pb2.WatchResponse:
        return rpc_pb2.WatchResponse(
            header=self._header(self._history.last if revision is None else revision),
            watch_id=watch_id,
            created=created,
            canceled=canceled,
            cancel_reason=cancel_reason,
        )
