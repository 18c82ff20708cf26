"""One call: a client's stream joined with a runtime's.

A call whose method has its model in the message, or gets another one written into it, waits for its first
message; the others are routed by their headers. What cannot be routed at once is held until the router knows.
What the runtime refuses, or loses, is sent again where that can be done without the client seeing any of it.
"""

from typing import Final

from adapter.domain.errors import AdapterError, Code
from adapter.http2.client_side import ClientConnection
from adapter.http2.flow import NO_STREAM, ClientSide, Stream
from adapter.http2.frames import ErrorCode
from adapter.http2.metadata import metadata_fields, timeout_field
from adapter.http2.outgoing import Shared, keep
from adapter.http2.request_half import RequestHalf
from adapter.http2.request_head import RequestHead
from adapter.http2.response_head import RESPONSE_FIELDS, ResponseHead, trailer_fields
from adapter.http2.retries import Again, Retries
from adapter.http2.verdicts import Answer, Plan, Router, Target
from adapter.wire.grpc_messages import ENCODINGS, PREFIX_BYTES, Chunk, MessageBounds, is_one_message, prefix

REFUSAL_CHARS_MAX: Final = 2000
"""An error's text travels in a header, and clients take 8 KiB of those."""


class Call(RequestHalf):
    """The state of one call."""

    began_s: float
    deadline_s: float | None = None
    target: Target | None = None
    tried: tuple[object, ...] = ()
    """The upstreams where the connection broke."""
    last_target: Target | None = None
    """Of the last try, also after that has failed."""
    refusal: tuple[Code, str] | None = None
    """Why it is refused as soon as it begins."""
    inner = False
    """It is part of another call, and is not counted as one from outside."""
    invoked_s = 0.0
    """When the last try began."""
    ended_s = 0.0
    is_answered_here = False
    """The router had the answer: there was no try of this call itself."""
    response_bytes = 0
    _response_bounds: MessageBounds | None = None
    _held_head: ResponseHead | None = None
    _answering = False
    """The client has been sent a part of the answer."""
    _retries: Retries | None = None
    _again = False

    def __init__(
        self, shared: Shared, router: Router, client: ClientSide, head: RequestHead, plan: Plan
    ) -> None:
        super().__init__(shared, client, head, plan)
        self._router = router
        self.began_s = shared.now_s
        if head.timeout_s is not None:
            self.deadline_s = shared.now_s + head.timeout_s

    def __repr__(self) -> str:
        return f"<Call {self.head.rpc}, {self.request_bytes} bytes in, {self.response_bytes} out>"

    def time_left_s(self) -> float | None:
        """Until the client's deadline; None: it waits for ever."""
        return None if self.deadline_s is None else self.deadline_s - self._shared.now_s

    # What the client does.

    def begin(self) -> None:
        """The headers are here."""
        if self.refusal is not None:
            self.refuse(*self.refusal)
        elif self.deadline_s is not None and self.deadline_s <= self.began_s:
            self.refuse(Code.DEADLINE_EXCEEDED, "the deadline has passed")
        elif not self.plan.message_first:
            self._route()

    def request_reset(self) -> None:
        """The client has cancelled, or has gone."""
        if not self.done:
            self._drop_upstream(ErrorCode.CANCEL)
            self._finish(Code.CANCELLED)

    def tick(self, now_s: float) -> None:
        """Time has passed: a deadline, or a message that does not come to its end."""
        if self.done:
            return
        if self.deadline_s is not None and now_s > self.deadline_s:
            self.refuse(Code.DEADLINE_EXCEEDED, "the deadline has passed")
        elif (
            self._held_bytes
            and self._held is not None
            and self.plan.message_first
            and self._message_bytes is None
            and now_s - self.began_s > self._shared.limits.half_open_s_max
        ):
            self._shared.counts.note(self._shared.counts.limits_hit, "half_open_s_max")
            self.refuse(Code.CANCELLED, "the request did not come to its end")

    # Where it goes.

    def _route(self) -> None:
        if self.plan.door is not None:
            self._open(Target(self.plan.door))
            return
        try:
            target = self._router.route(self)
        except AdapterError as error:
            self._refuse_for(error)
            return
        if target is None:
            self._shared.counts.calls_waiting += 1
            self._shared.resolve(self)
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

    def unresolved(self, code: Code, text: str) -> None:
        """The router cannot have it answered."""
        if not self.done:
            self._no_longer_waiting()
            self.refuse(code, text)

    def _no_longer_waiting(self) -> None:
        self.cancel_resolving = None
        self._shared.counts.calls_waiting -= 1

    def _open(self, target: Target) -> None:
        self.target = self.last_target = target
        self.invoked_s = self._shared.now_s
        target.upstream.open(self)

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

    # What the upstream does.

    def response_headers(self, head: ResponseHead, *, end: bool) -> None:
        """A header block: headers, trailers, or both in one."""
        if self.done or (head.informational and not end):
            return
        begun = self._answering or self._held_head is not None
        if head.has_status is begun or (begun and not end):
            self.upstream_failed("the runtime sent headers that are out of place", Code.INTERNAL)
        elif end:
            self._response_end(head)
        elif self.ended and self._held is not None:
            # Until there is more of an answer than this, the call can be sent again.
            self._held_head = head
        else:
            self._begin_answer(head.block)

    def response_data(self, chunk: Chunk, *, end: bool) -> None:
        """A part of the response."""
        if self.done:
            return
        size, bounds = len(chunk), self._response_bounds
        if (bounds is None or not bounds.passes(size)) and not self._follow_response(chunk):
            return
        if not self._answering:
            self._begin_answer(_block_of(self._held_head))
        self.response_bytes += size
        if self.spied_response is not None and self.response_bytes <= self._shared.limits.message_bytes_max:
            keep(self.spied_response, chunk)
        sent = self.client.send_data(self.client_stream, chunk, end=False)
        if sent:
            self.response_sent(sent)
        if end and not self.done:
            self._drop_upstream(ErrorCode.NO_ERROR)
            self.refuse(Code.INTERNAL, "the runtime ended its answer without a status")

    def _follow_response(self, chunk: Chunk) -> bool:
        """Whether what came are messages of a size that is allowed; if not, the call is refused."""
        bounds, limit_bytes = self._response_bounds, self._shared.limits.message_bytes_max
        if bounds is None:
            if is_one_message(chunk, limit_bytes):
                return True
            bounds = self._response_bounds = MessageBounds(limit_bytes=limit_bytes)
        try:
            bounds.feed(chunk)
        except AdapterError as error:
            self._drop_upstream(ErrorCode.CANCEL)
            self._refuse_for(error)
            return False
        return True

    def response_sent(self, size: int) -> None:
        """So much of the response has gone to the client; as much more may come."""
        if self.upstream_connection is not None and self.upstream_stream is not None:
            self.upstream_connection.taken(self.upstream_stream, size)

    def response_reset(self, code: int) -> None:
        """The upstream has ended the stream."""
        self._detach()
        if self.done:
            return
        if code == ErrorCode.REFUSED_STREAM and self._can_repeat():
            again = self._retry_state().after_refusal()
            self._try_again(again, "the runtime refused the stream", "refused_stream")
            return
        self.client.reset(self.client_stream, _error_code(code))
        self._finish(Code.CANCELLED if code == ErrorCode.CANCEL else Code.INTERNAL)

    def upstream_failed(self, reason: str, code: Code = Code.UNAVAILABLE) -> None:
        """There is no stream, or no connection any more."""
        if self.upstream_stream is not None and code is not Code.UNAVAILABLE:
            self._drop_upstream(ErrorCode.CANCEL)
        self._detach()
        if self.done:
            return
        if code is Code.UNAVAILABLE and self._can_repeat():
            again = self._retry_state().after(Code.UNAVAILABLE, reason)
            self._try_again(again, reason, "connection_lost")
        else:
            self.refuse(code, reason)

    def _begin_answer(self, block: bytes) -> None:
        self._answering = True
        self._held_head = None
        self.let_go()
        self.client.send_headers(self.client_stream, block, end=False)

    def _response_end(self, head: ResponseHead) -> None:
        code = Code.UNKNOWN if head.grpc_status is None else head.grpc_status
        if code is not Code.OK and self._can_repeat():
            again = self._retry_state().after(code, head.grpc_message)
            if again is not Again.NO:
                self._send_again(again)
                return
        stream = self.upstream_stream
        if stream is not None and not stream.ended_out:
            self._drop_upstream(ErrorCode.NO_ERROR)
        block = head.block
        if self.target is not None and self.target.timings_ms is not None:
            infer_ms = (self._shared.now_s - self.invoked_s) * 1e3
            block += _server_timing({**self.target.timings_ms, "infer": infer_ms})
        self._end_client(block, code)

    # Again.

    def _can_repeat(self) -> bool:
        return not self._answering and self._held is not None and self.plan.door is None

    def _retry_state(self) -> Retries:
        if self._retries is None:
            self._retries = Retries()
        return self._retries

    def _try_again(self, again: Again, reason: str, cause: str) -> None:
        """Elsewhere, after a connection broke; unless this has happened to the call too often."""
        if self.target is not None:
            self.tried = (*self.tried, self.target.upstream)
        if again is Again.NO:
            self.refuse(Code.UNAVAILABLE, reason)
        else:
            self._send_again(again, cause)

    def _send_again(self, again: Again, cause: str = "") -> None:
        counts = self._shared.counts
        counts.note(counts.retries, cause or again.value.replace(" ", "_"))
        target, self.target = self.target, None
        self._drop_upstream(ErrorCode.CANCEL)
        self._held_head = None
        self._response_bounds = None
        self._again = True
        if target is not None:
            self._router.released(target)
            if again is Again.COPY_LOST:
                self._router.copy_lost(target)
        self._route()

    # The end.

    def refuse(self, code: Code, text: str) -> None:
        """End the call with a status of ours."""
        fields = trailer_fields(code, text[:REFUSAL_CHARS_MAX])
        if code is Code.UNIMPLEMENTED and self.head.encoding:
            fields += metadata_fields([("grpc-accept-encoding", ",".join(ENCODINGS))])
        self._drop_upstream(ErrorCode.CANCEL)
        self._held_head = None
        if not self._answering:
            fields = RESPONSE_FIELDS + fields
        self._end_client(fields, code)

    def _answer(self, answer: Answer) -> None:
        self.is_answered_here = True
        if answer.code is not Code.OK or answer.message is None:
            block = RESPONSE_FIELDS + trailer_fields(answer.code, answer.text, answer.trailing)
            self._end_client(block, answer.code)
            return
        self._begin_answer(RESPONSE_FIELDS + metadata_fields(answer.initial))
        self.response_bytes += len(answer.message) + PREFIX_BYTES
        data = prefix(len(answer.message)) + answer.message
        self.client.send_data(self.client_stream, data, end=False)
        self._end_client(trailer_fields(Code.OK, "", answer.trailing), Code.OK)

    def _end_client(self, block: bytes, code: Code) -> None:
        if self._held_head is not None:
            self._begin_answer(self._held_head.block)
        self.client.send_trailers(self.client_stream, block)
        self._detach()
        self._finish(code)

    def _drop_upstream(self, code: ErrorCode) -> None:
        if self.upstream_connection is not None and self.upstream_stream is not None:
            self.upstream_connection.reset(self.upstream_stream, code)
        elif self.target is not None:
            self.target.upstream.forget(self)
        self._detach()

    def _detach(self) -> None:
        self.upstream_connection = self.upstream_stream = None

    def _finish(self, code: Code) -> None:
        assert not self.done
        self.done = True
        self.let_go()
        if self.cancel_resolving is not None:
            self.cancel_resolving()
            self._no_longer_waiting()
        counts = self._shared.counts
        counts.calls_open -= 1
        self.ended_s = self._shared.now_s
        if self.target is not None:
            self._router.released(self.target)
        self._router.answered(self, code)
        # The stream knows its call; without this the two would wait for the garbage collector.
        self.client_stream = NO_STREAM


def _block_of(head: ResponseHead | None) -> bytes:
    """A runtime that sends data before any headers has sent the usual ones, as far as its client sees."""
    return RESPONSE_FIELDS if head is None else head.block


def _error_code(code: int) -> ErrorCode:
    try:
        return ErrorCode(code)
    except ValueError:
        return ErrorCode.INTERNAL_ERROR


def _server_timing(steps_ms: dict[str, float]) -> bytes:
    text = ", ".join(f"{step};dur={round(ms, 3):g}" for step, ms in steps_ms.items())
    return metadata_fields([("server-timing", text)])
