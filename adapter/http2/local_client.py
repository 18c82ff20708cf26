"""A caller inside this process in the place of a client's connection: the same calls, without frames."""

from collections.abc import Callable, Sequence

from adapter.domain.errors import AdapterError, Code
from adapter.http2.flow import ClientSide, Exchange, Stream
from adapter.http2.frames import WINDOW_MAX, ErrorCode
from adapter.http2.header_blocks import Field
from adapter.http2.metadata import metadata_of
from adapter.http2.outgoing import Shared
from adapter.http2.response_head import ResponseHead
from adapter.http2.verdicts import Answer
from adapter.wire.grpc_messages import PREFIX_BYTES, Chunk, inflated


class LocalClient(ClientSide):
    """Collects the answer of one unary call, and hands it over when the call has ended."""

    def __init__(self, shared: Shared, answered: Callable[[Answer], None]) -> None:
        self._shared = shared
        self._answered = answered
        self._chunks: list[Chunk] = []
        self._bytes = 0
        self._initial: Sequence[Field] | None = None
        self._done = False

    def send_headers(self, _stream: Stream, block: bytes, *, end: bool) -> None:
        fields = self._shared.heads.fields.fields(block)
        if end:
            self._finish(fields)
        else:
            self._initial = fields

    def send_trailers(self, _stream: Stream, block: bytes) -> None:
        self._finish(self._shared.heads.fields.fields(block))

    def send_data(self, stream: Stream, chunk: Chunk, *, end: bool) -> int:
        del end
        self._bytes += len(chunk)
        if self._bytes > self._shared.limits.message_bytes_max + PREFIX_BYTES:
            self._hand_over(Answer(code=Code.RESOURCE_EXHAUSTED, text=_SEVERAL_RESPONSES))
            stream.call.request_reset()
            return 0
        self._chunks.append(chunk)
        return len(chunk)

    def taken(self, _stream: Stream, _size: int) -> None:
        """The request is here whole; there is no one to give credit to."""

    def reset(self, _stream: Stream, code: ErrorCode) -> None:
        if not self._done:
            self._hand_over(Answer(code=_CODE_OF_RESET.get(code, Code.INTERNAL), text=_reset_text(code)))

    def _finish(self, fields: Sequence[Field]) -> None:
        head = ResponseHead(fields)
        code = Code.UNKNOWN if head.grpc_status is None else head.grpc_status
        trailing = metadata_of([field for field in fields if field.name not in _NOT_METADATA])
        if code is not Code.OK:
            self._hand_over(Answer(code=code, text=head.grpc_message, trailing=trailing))
            return
        encoded = b"".join(self._chunks)
        if len(encoded) < PREFIX_BYTES:
            self._hand_over(Answer(code=Code.INTERNAL, text="no response received from model runtime"))
            return
        if int.from_bytes(encoded[1:PREFIX_BYTES], "big") != len(encoded) - PREFIX_BYTES:
            self._hand_over(Answer(code=Code.INTERNAL, text=_SEVERAL_RESPONSES))
            return
        begun = self._initial or ()
        message: bytes = encoded[PREFIX_BYTES:]
        if encoded[0]:
            encoding = next((field.value.decode("latin-1") for field in begun if field.name == _ENCODING), "")
            try:
                message = inflated(message, encoding, limit_bytes=self._shared.limits.message_bytes_max)
            except AdapterError as error:
                self._hand_over(Answer(code=error.code, text=str(error)))
                return
        initial = metadata_of([field for field in begun if field.name not in _NOT_METADATA])
        self._hand_over(Answer(initial=initial, trailing=trailing, message=message))

    def _hand_over(self, answer: Answer) -> None:
        self._done = True
        self._answered(answer)


def local_stream(call: Exchange) -> Stream:
    """A stream without a connection; its windows are as wide as can be."""
    stream = Stream(0, call, WINDOW_MAX, WINDOW_MAX)
    stream.ended_in = True
    return stream


_CODE_OF_RESET = {
    ErrorCode.REFUSED_STREAM: Code.UNAVAILABLE,
    ErrorCode.CANCEL: Code.CANCELLED,
    ErrorCode.ENHANCE_YOUR_CALM: Code.RESOURCE_EXHAUSTED,
}
_ENCODING = b"grpc-encoding"
_NOT_METADATA = frozenset(
    {b":status", b"content-type", b"grpc-status", b"grpc-message", _ENCODING, b"grpc-accept-encoding"}
)
"""What of an answer's fields is the transport's."""
_SEVERAL_RESPONSES = "the runtime sent several responses to a call that may have one"


def _reset_text(code: ErrorCode) -> str:
    return f"the call was ended with {ErrorCode(code).name}"
