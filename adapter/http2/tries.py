"""The tries of one call: where it goes, and where it goes again after a try that came to nothing.

As long as a call can be repeated unseen, it is sent again: to the runtime, when that has lost the model,
refused the stream or broke the connection (`retries`); to another instance, when one would not answer it, or
broke the connection. The router is told what happened, so that it can choose better the next time.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING

from adapter.domain.errors import AdapterError, Code
from adapter.http2.client_side import ClientConnection
from adapter.http2.flow import ClientSide, Stream
from adapter.http2.frames import ErrorCode
from adapter.http2.metadata import timeout_field
from adapter.http2.outgoing import Shared
from adapter.http2.request_half import RequestHalf
from adapter.http2.request_head import RequestHead
from adapter.http2.response_head import ResponseHead
from adapter.http2.retries import Again, Retries
from adapter.http2.verdicts import ANYONE, Answer, Caller, Plan, Router, Target
from adapter.wire.grpc_messages import Chunk, MessageBounds

if TYPE_CHECKING:
    from adapter.http2.call import Call


class Tries(RequestHalf):
    """A call as far as it goes somewhere."""

    caller: Caller = ANYONE
    deadline_s: float | None = None
    target: Target | None = None
    tried: tuple[object, ...] = ()
    """The upstreams where the connection broke."""
    excluded: dict[str, str] | None = None
    """For the router: the instances that were tried in vain, each with the reason."""
    last_target: Target | None = None
    """Of the last try, also after that has failed."""
    invoked_s = 0.0
    """When the last try began."""
    _response_bounds: MessageBounds | None = None
    _held_head: ResponseHead | None = None
    _held_answer: list[Chunk] | None = None
    """What follows these headers; while it is held, the call can be sent again."""
    _held_answer_bytes = 0
    _answering = False
    """The client has been sent a part of the answer."""
    _retries: Retries | None = None
    _again = False

    def __init__(
        self, shared: Shared, router: Router, client: ClientSide, head: RequestHead, plan: Plan
    ) -> None:
        super().__init__(shared, client, head, plan)
        self._router = router

    @property
    @abstractmethod
    def _whole(self) -> "Call":
        """The call as others know it."""

    @abstractmethod
    def _answer(self, answer: Answer) -> None:
        """The router has the answer."""

    @abstractmethod
    def _drop_upstream(self, code: ErrorCode) -> None:
        """End the stream towards the target, or the wait for one."""

    def time_left_s(self) -> float | None:
        """Until the client's deadline; None: it waits for ever."""
        return None if self.deadline_s is None else self.deadline_s - self._shared.now_s

    # Where it goes.

    def _route(self) -> None:
        if self.plan.door is not None:
            self._open(Target(self.plan.door))
            return
        try:
            target = self._router.route(self._whole)
        except AdapterError as error:
            self._refuse_for(error)
            return
        if target is None:
            self._shared.counts.calls_waiting += 1
            self._shared.resolve(self._whole)
        else:
            self._open(target)

    def resolved(self, verdict: Target | Answer) -> None:
        """The router knows where the call goes, or what the answer is."""
        if self.done:
            if isinstance(verdict, Target):
                self._router.released(verdict)
            return
        self._no_longer_waiting()
        if isinstance(verdict, Answer):
            self._answer(verdict)
        else:
            self._again = True
            self._open(verdict)

    def unresolved(self, code: Code, text: str, word: str = "") -> None:
        """The router cannot have it answered."""
        if not self.done:
            self._no_longer_waiting()
            self.refuse(code, text, word)

    def _no_longer_waiting(self) -> None:
        self.cancel_resolving = None
        self._shared.counts.calls_waiting -= 1

    def _open(self, target: Target) -> None:
        self.target = self.last_target = target
        self.invoked_s = self._shared.now_s
        target.upstream.open(self._whole)

    def opened(self, connection: ClientConnection, stream: Stream) -> None:
        """There is a stream towards the target; what was held goes on."""
        target, head, held = self.target, self.head, self._held
        assert target is not None
        assert held is not None
        self.upstream_connection, self.upstream_stream = connection, stream
        self._passed = 0
        block = head.for_peer if target.to_peer else head.for_runtime
        if head.timeout:
            block += self._timeout()
        if target.fields:
            block += target.fields
        if not held:
            connection.send_headers(stream, block, end=self.ended)
            return
        connection.send_headers(stream, block, end=False)
        chunks = held if target.edit is None and target.message is None else self._rewritten(target, held)
        ended, left = self.ended, len(chunks)
        sent = 0
        for chunk in chunks:
            left -= 1
            sent += connection.send_data(stream, chunk, end=ended and not left)
        if not ended:
            self.request_sent(sent)

    def _timeout(self) -> bytes:
        """What is left of the client's patience; as it came, if nothing was waited for."""
        if not self._again:
            return self.head.timeout
        left_s = self.time_left_s()
        return timeout_field(max(left_s or 0.0, 0.0))

    # Again.

    def _can_repeat(self) -> bool:
        return not self._answering and self._held is not None and self.plan.door is None

    def _retry_state(self) -> Retries:
        if self._retries is None:
            self._retries = Retries()
        return self._retries

    def _is_sent_again(self, code: Code, text: str, word: str) -> bool:
        """Whether the call is sent again after it was answered with this error."""
        target = self.target
        if not self._can_repeat():
            return False
        if target is None or not target.to_peer:
            again = self._retry_state().after(code, text)
            if again is Again.NO:
                return False
            self._send_again(again)
        elif not word or not self._retry_state().after_peer():
            # What a peer says without such a word is the answer: it has tried again by itself.
            return False
        else:
            self._end_try("peer_refused")
            self._router.peer_refused(self._whole, target, word, text)
            self._route()
        return True

    def _lost(self, reason: str, *, refused: bool) -> None:
        """The stream was refused, or the connection broke: elsewhere, unless that happened too often."""
        target = self.target
        if target is not None:
            self.tried = (*self.tried, target.upstream)
        retries = self._retry_state()
        if target is not None and target.to_peer:
            if retries.after_peer():
                self._end_try("peer_lost")
                self._router.peer_lost(self._whole, target, reason)
                self._route()
                return
            again = Again.NO
        else:
            again = retries.after_refusal() if refused else retries.after(Code.UNAVAILABLE, reason)
        if again is Again.NO:
            self.refuse(Code.UNAVAILABLE, reason)
        else:
            self._send_again(again, "refused_stream" if refused else "connection_lost")

    def _send_again(self, again: Again, cause: str = "") -> None:
        target = self.target
        self._end_try(cause or again.value.replace(" ", "_"))
        if target is not None and again is Again.COPY_LOST:
            self._router.copy_lost(target)
        self._route()

    def _end_try(self, cause: str) -> None:
        """This try came to nothing, and another one follows."""
        self._shared.counts.note(self._shared.counts.retries, cause)
        target, self.target = self.target, None
        self._drop_upstream(ErrorCode.CANCEL)
        self._forget_answer()
        self._response_bounds = None
        self._again = True
        if target is not None:
            self._router.released(target)

    def _forget_answer(self) -> None:
        """What came of an answer, and did not go on, never will."""
        self._held_head = None
        if self._held_answer is not None:
            self._shared.counts.buffered_bytes -= self._held_answer_bytes
            self._held_answer, self._held_answer_bytes = None, 0
