"""Inference without a task: a request that is there whole, and says nothing odd, is answered by callbacks.

Most requests of this door are such ones, and to have a task wait for each would double what they take. A
request that is not, or that is wrong, is the application's (`rest_app`). Both answer alike.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, NamedTuple

from adapter.domain.errors import AdapterError
from adapter.servers.calls import Answer, UnaryCalls
from adapter.servers.rest_answers import Header, HttpAnswer, error_answer, unforeseen_answer, with_headers
from adapter.servers.rest_body import THREAD_BYTES_MIN, BodyBudget, compressed, encoding_for
from adapter.servers.rest_exchange import SERVICE, message_of
from adapter.servers.rest_headers import RequestHeaders, answer_headers, read_headers
from adapter.servers.rest_options import RestOptions
from adapter.servers.rest_routes import Route, infer_route
from adapter.servers.rest_v2 import infer_answer, infer_message
from adapter.wire.v2_bodies import AnswerChoice

log = logging.getLogger(__name__)

METHOD: Final = "ModelInfer"
_RPC: Final = f"{SERVICE}/{METHOD}"
_ODD: Final = frozenset({b"content-encoding", b"expect", b"grpc-timeout"})
"""Headers that ask for more than this."""

Answered = Callable[[HttpAnswer], None]


class QuickRequest(NamedTuple):
    """A request that may be answered here, once its body is there."""

    route: Route
    headers: RequestHeaders


class QuickInference:
    """Takes such requests; one for each server."""

    def __init__(
        self,
        calls: UnaryCalls,
        options: RestOptions,
        *,
        budget: BodyBudget,
        tasks: set[asyncio.Task[Any]],
    ) -> None:
        self.calls = calls
        self.options = options
        self.budget = budget
        self.tasks = tasks
        """Those that do what takes long; whoever stops the server waits for them."""
        self._bytes_max = min(THREAD_BYTES_MIN, options.body_bytes_max)

    def taken(self, url: bytes, headers: Sequence[Header]) -> QuickRequest | None:
        """A POST with this URL and these headers, if it may be answered here."""
        route = infer_route(url)
        if route is None:
            return None
        read = read_headers(headers)
        length = read.told.get(b"content-length", b"")
        # The parser has seen to it that it is a number.
        if not 0 < len(length) <= _LENGTH_DIGITS_MAX or int(length) > self._bytes_max:
            return None
        return QuickRequest(route, read) if _ODD.isdisjoint(read.told) else None

    def begin(self, request: QuickRequest, body: bytes, answered: Answered) -> "QuickCall | None":
        """Make the call; `answered` is called with what is to be told, perhaps before this returns.

        None: it is the application's after all, and nothing has been done.
        """
        route, headers = request
        try:
            metadata = headers.metadata
            message, choice = infer_message(route, body, headers.json_bytes)
            self.budget.take(len(body))
        except Exception:  # noqa: BLE001 - whatever it is, the application meets it too, and tells it
            return None
        call = QuickCall(self, len(body), headers.told.get(b"accept-encoding"), choice, answered)
        try:
            end = self.calls.begin(_RPC, message, metadata=metadata, answered=call.land)
        except Exception:  # noqa: BLE001 - as above; a parser's callback must not raise
            call.cancel()
            return None
        if not call.landed:
            call.end = end
        return call


_LENGTH_DIGITS_MAX = 9


class QuickCall:
    """One inference in flight."""

    __slots__ = ("_accepted", "_answered", "_choice", "_held_bytes", "_owner", "_task", "end", "landed")

    def __init__(
        self,
        owner: QuickInference,
        held_bytes: int,
        accepted: bytes | None,
        choice: AnswerChoice,
        answered: Answered,
    ) -> None:
        self._owner = owner
        self._held_bytes = held_bytes
        self._accepted = accepted
        self._choice = choice
        self._answered: Answered | None = answered
        self._task: asyncio.Task[None] | None = None
        self.landed = False
        """The call has ended; its answer may still be in the making."""
        self.end: Callable[[], object] | None = None
        """Ends the call before it has ended by itself."""

    def cancel(self) -> None:
        """Nobody wants the answer any more; nobody is told one."""
        if self._answered is None:
            return
        self._answered = None
        self._release()
        if self.end is not None:
            self.end()
            self.end = None
        if self._task is not None:
            self._task.cancel()

    def land(self, answer: Answer) -> None:
        """The call has ended. Does not raise."""
        self.landed = True
        self.end = None
        if self._answered is None:
            return
        if answer.message is not None and len(answer.message) > THREAD_BYTES_MIN:
            self._do(self._land_large(answer))
            return
        told = self._told(answer)
        accepted = self._accepted
        if (
            accepted is not None
            and len(told.body) >= self._owner.options.compressed_bytes_min
            and encoding_for(accepted) is not None
        ):
            self._do(self._land_compressed(told, accepted))
        else:
            self._deliver(told)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        tasks = self._owner.tasks
        self._task = asyncio.get_running_loop().create_task(work, name="answer over REST")
        self._task.add_done_callback(tasks.discard)
        tasks.add(self._task)

    async def _land_large(self, answer: Answer) -> None:
        told = await asyncio.to_thread(self._told, answer)
        if self._accepted is None:
            self._deliver(told)
        else:
            await self._land_compressed(told, self._accepted)

    async def _land_compressed(self, told: HttpAnswer, accepted: bytes) -> None:
        if len(told.body) >= self._owner.options.compressed_bytes_min:
            told = await compressed(told, accepted)
        self._deliver(told)

    def _told(self, answer: Answer) -> HttpAnswer:
        try:
            told = infer_answer(message_of(answer, METHOD), self._choice)
        except AdapterError as error:
            told = error_answer(error)
        except Exception:
            log.exception("a request failed unexpectedly", extra={"action": "infer"})
            told = unforeseen_answer()
        return with_headers(told, answer_headers(answer)) if answer.initial or answer.trailing else told

    def _deliver(self, told: HttpAnswer) -> None:
        answered = self._answered
        if answered is None:
            return
        self._answered = self._task = None
        self._release()
        answered(told)

    def _release(self) -> None:
        self._owner.budget.give_back(self._held_bytes)
        self._held_bytes = 0
