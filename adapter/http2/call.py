"""One call: a client's stream joined with a runtime's.

A call whose method has its model in the message, or gets another one written into it, waits for its first
message; the others are routed by their headers. What cannot be routed at once is held until the router knows.
What the runtime refuses, or loses, is sent again where that can be done without the client seeing any of it.
"""

from typing import Final

from adapter.domain.errors import AdapterError, Code
from adapter.http2.flow import NO_STREAM, ClientSide
from adapter.http2.frames import ErrorCode
from adapter.http2.metadata import metadata_fields
from adapter.http2.outgoing import Shared, keep
from adapter.http2.request_head import RequestHead
from adapter.http2.response_head import RESPONSE_FIELDS, ResponseHead, trailer_fields
from adapter.http2.tries import Tries
from adapter.http2.verdicts import Answer, Plan, Refusal, Router
from adapter.wire.grpc_messages import ENCODINGS, PREFIX_BYTES, Chunk, MessageBounds, is_one_message, prefix
from adapter.wire.headers import REFUSED_KEY

REFUSAL_CHARS_MAX: Final = 2000
"""An error's text travels in a header, and clients take 8 KiB of those."""

HELD_ANSWER_BYTES_MAX: Final = 32 * 1024
"""Of an answer so much is held until it is whole, where its method is known to have one message."""


class Call(Tries):
    """The state of one call."""

    began_s: float
    refusal: Refusal | None = None
    """Why it is refused as soon as it begins."""
    inner = False
    """It is part of another call, and is not counted as one from outside."""
    ended_s = 0.0
    is_answered_here = False
    """The router had the answer: there was no try of this call itself."""
    response_bytes = 0

    def __init__(
        self, shared: Shared, router: Router, client: ClientSide, head: RequestHead, plan: Plan
    ) -> None:
        super().__init__(shared, router, client, head, plan)
        self.began_s = shared.now_s
        if head.timeout_s is not None:
            self.deadline_s = shared.now_s + head.timeout_s

    def __repr__(self) -> str:
        return f"<Call {self.head.rpc}, {self.request_bytes} bytes in, {self.response_bytes} out>"

    @property
    def _whole(self) -> "Call":
        return self

    # What the client does.

    def begin(self) -> None:
        """The headers are here."""
        if self.refusal is not None:
            self.refuse(self.refusal.code, self.refusal.text, self.refusal.word)
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

    # What the upstream does.

    def response_headers(self, head: ResponseHead, *, end: bool) -> None:
        """A header block: headers, trailers, or both in one."""
        if self.done or (head.informational and not end):
            return
        begun = self._answering or self._held_head is not None or self._held_answer is not None
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
        if self._answering:
            self._pass_on(chunk, size)
        elif not self.plan.unary or not self._hold_answer(chunk, size):
            self._begin_answer(_block_of(self._held_head))
            self._pass_on(chunk, size)
        if end and not self.done:
            self._drop_upstream(ErrorCode.NO_ERROR)
            self.refuse(Code.INTERNAL, "the runtime ended its answer without a status")

    def _pass_on(self, chunk: Chunk, size: int) -> None:
        self.response_bytes += size
        if self.spied_response is not None and self.response_bytes <= self._shared.limits.message_bytes_max:
            keep(self.spied_response, chunk)
        sent = self.client.send_data(self.client_stream, chunk, end=False)
        if sent:
            self.response_sent(sent)

    def _hold_answer(self, chunk: Chunk, size: int) -> bool:
        """Whether this part of the one message is held: its sender may break before the answer is whole."""
        if not self.ended or self._held is None:
            return False
        held, shared = self._held_answer, self._shared
        first = chunk if held is None else held[0]
        before, after = self._held_answer_bytes, self._held_answer_bytes + size
        # Its sender is given no credit for what is held.
        if after > HELD_ANSWER_BYTES_MAX or after > shared.limits.window_bytes >> 1:
            return False
        if len(first) < PREFIX_BYTES or after > PREFIX_BYTES + int.from_bytes(first[1:PREFIX_BYTES], "big"):
            return False
        if held is None:
            self._held_answer = [chunk]
        else:
            held.append(chunk)
        shared.counts.buffered_bytes += after - before
        self._held_answer_bytes = after
        return True

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
            self._lost(f"{self._where} refused the stream", refused=True)
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
            self._lost(reason, refused=False)
        else:
            self.refuse(code, reason)

    @property
    def _where(self) -> str:
        return "the runtime" if self.target is None else self.target.upstream.name

    def _begin_answer(self, block: bytes) -> None:
        held = self._held_answer
        self._answering = True
        self._held_head = None
        self.let_go()
        self.client.send_headers(self.client_stream, block, end=False)
        if held is not None:
            self._forget_answer()
            for chunk in held:
                self._pass_on(chunk, len(chunk))

    def _response_end(self, head: ResponseHead) -> None:
        code = Code.UNKNOWN if head.grpc_status is None else head.grpc_status
        if code is not Code.OK and self._is_sent_again(code, head.grpc_message, head.refused):
            return
        stream = self.upstream_stream
        if stream is not None and not stream.ended_out:
            self._drop_upstream(ErrorCode.NO_ERROR)
        block = head.block
        if self.target is not None and self.target.timings_ms is not None:
            infer_ms = (self._shared.now_s - self.invoked_s) * 1e3
            block += _server_timing({**self.target.timings_ms, "infer": infer_ms})
        self._end_client(block, code)

    # The end.

    def refuse(self, code: Code, text: str, word: str = "") -> None:
        """End the call with a status of ours; a `word` tells another instance that it may ask elsewhere."""
        fields = trailer_fields(code, text[:REFUSAL_CHARS_MAX]) + self._told_peer(word)
        if code is Code.UNIMPLEMENTED and self.head.encoding:
            fields += metadata_fields([("grpc-accept-encoding", ",".join(ENCODINGS))])
        self._drop_upstream(ErrorCode.CANCEL)
        self._forget_answer()
        if not self._answering:
            fields = RESPONSE_FIELDS + fields
        self._end_client(fields, code)

    def _told_peer(self, word: str) -> bytes:
        if not word or not self.caller.from_peer or self._answering:
            return b""
        return metadata_fields([(REFUSED_KEY, word)])

    def _answer(self, answer: Answer) -> None:
        self.is_answered_here = True
        if answer.code is not Code.OK or answer.message is None:
            fields = trailer_fields(answer.code, answer.text, answer.trailing) + self._told_peer(answer.word)
            self._end_client(RESPONSE_FIELDS + fields, answer.code)
            return
        self._begin_answer(RESPONSE_FIELDS + metadata_fields(answer.initial))
        self.response_bytes += len(answer.message) + PREFIX_BYTES
        data = prefix(len(answer.message)) + answer.message
        self.client.send_data(self.client_stream, data, end=False)
        self._end_client(trailer_fields(Code.OK, "", answer.trailing), Code.OK)

    def _end_client(self, block: bytes, code: Code) -> None:
        if self._held_head is not None or self._held_answer is not None:
            self._begin_answer(_block_of(self._held_head))
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
        if self._held_answer is not None:
            self._forget_answer()
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
