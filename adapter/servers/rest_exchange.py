"""One request, as the endpoints see it: what is asked for, its body, and calls on its behalf."""

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from adapter.domain.errors import Code, RuntimeFailed
from adapter.servers.calls import Answer, UnaryCalls
from adapter.servers.rest_answers import CallFailed, Header
from adapter.servers.rest_body import Body
from adapter.servers.rest_headers import RequestHeaders, answer_headers
from adapter.servers.rest_routes import Route

SERVICE = "inference.GRPCInferenceService"

MessageT = TypeVar("MessageT", bound=Message)


class Exchange:
    """A request on its way to an answer."""

    __slots__ = ("_calls", "body", "headers", "metadata_headers", "route")

    def __init__(self, route: Route, headers: RequestHeaders, body: Body, calls: UnaryCalls) -> None:
        self.route = route
        self.headers = headers
        self.body = body
        self.metadata_headers: list[Header] = []
        """The metadata of the last call's answer, as headers of ours."""
        self._calls = calls

    async def call(self, method: str, request: Message, kind: type[MessageT]) -> MessageT:
        """Call a method of the V2 service.

        Raises `CallFailed` with the code that the call ended with, and `RuntimeFailed` for an answer that
        is no message of this kind.
        """
        message = await self.call_encoded(method, request.SerializeToString())
        try:
            return kind.FromString(message)
        except DecodeError as error:
            raise no_such_message(method) from error

    async def call_encoded(self, method: str, request: bytes) -> bytes:
        """The same with messages as they are encoded."""
        headers = self.headers
        answer = await self._calls.unary(
            f"{SERVICE}/{method}", request, metadata=headers.metadata, timeout_s=headers.timeout_s
        )
        self.metadata_headers = answer_headers(answer) if answer.initial or answer.trailing else []
        return message_of(answer, method)


def message_of(answer: Answer, method: str) -> bytes:
    """What the call was answered with; raises `CallFailed` and `RuntimeFailed`."""
    if answer.code is not Code.OK:
        raise CallFailed(answer.code, answer.text)
    if answer.message is None:
        raise RuntimeFailed(f"{method} was answered without a message")
    return answer.message


def no_such_message(method: str) -> RuntimeFailed:
    """The bytes of an answer are no message of the method's."""
    return RuntimeFailed(f"{method} was answered with something else than its message")
