"""A `UnaryCalls` over a channel to a gRPC server, where no relay is wanted."""

import asyncio
from collections.abc import Callable, Sequence

import grpc

from adapter.domain.errors import Code
from adapter.servers.calls import Answer
from adapter.wire.headers import Pair


class ChannelCalls:
    """Calls that a server elsewhere answers."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def unary(
        self, method: str, message: bytes, *, metadata: Sequence[Pair] = (), timeout_s: float | None = None
    ) -> Answer:
        stub: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(f"/{method}")
        call = stub(message, metadata=tuple(metadata), timeout=timeout_s)
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            code = Code(error.code().value[0])
            return Answer(code=code, text=error.details() or "", trailing=_pairs(error.trailing_metadata()))
        initial, trailing = await call.initial_metadata(), await call.trailing_metadata()
        return Answer(message=answer, initial=_pairs(initial), trailing=_pairs(trailing))

    def begin(
        self,
        method: str,
        message: bytes,
        *,
        metadata: Sequence[Pair] = (),
        answered: Callable[[Answer], None],
    ) -> Callable[[], object]:
        task = asyncio.get_running_loop().create_task(self.unary(method, message, metadata=metadata))
        task.add_done_callback(lambda done: None if done.cancelled() else answered(done.result()))
        return task.cancel


def _pairs(metadata: grpc.aio.Metadata | None) -> list[Pair]:
    return [(key, value) for key, value in metadata or ()]
