"""What every client does once, with grpcio's asyncio half; see `exercises.py`."""

import asyncio
from typing import Any

import grpc

from tests.integration.clients.grpcio_sync import (
    OPTIONS,
    WAIT_S_MAX,
    asked_of,
    credentials,
    metadata,
    number,
    pattern,
    tell,
    tell_error,
)


class Exercises:
    """All of them, over one channel."""

    def __init__(self, channel: grpc.aio.Channel, asked: dict[str, str]) -> None:
        self._channel = channel
        self._asked = asked

    async def all(self) -> None:
        for exercise in (
            self.unary,
            self.streams,
            self.bidi,
            self.large,
            self.error,
            self.deadline,
            self.cancel,
        ):
            await exercise()

    def _unary(self, exercise: str, message: bytes, timeout_s: float = WAIT_S_MAX) -> Any:
        start: Any = self._channel.unary_unary("/test.Echo/Unary")
        return start(message, metadata=metadata(self._asked, exercise), timeout=timeout_s)

    def _bidi(self, exercise: str) -> Any:
        start: Any = self._channel.stream_stream("/test.Echo/Bidi")
        return start(metadata=metadata(self._asked, exercise), timeout=WAIT_S_MAX)

    async def unary(self) -> None:
        call = self._unary("unary", b"hello")
        tell("unary", (await call).decode())
        tell("unary.initial", dict(await call.initial_metadata())["initial"])
        tell("unary.trailing", dict(await call.trailing_metadata())["trailing-bin"].hex())

    async def streams(self) -> None:
        up: Any = self._channel.stream_unary("/test.Echo/ClientStream")
        options = {"metadata": metadata(self._asked, "client_stream"), "timeout": WAIT_S_MAX}
        tell("client_stream", (await up(iter([b"a", b"b", b"c"]), **options)).decode())
        down: Any = self._channel.unary_stream("/test.Echo/ServerStream")
        options = {"metadata": metadata(self._asked, "server_stream"), "timeout": WAIT_S_MAX}
        tell("server_stream", b",".join([message async for message in down(b"x", **options)]).decode())

    async def bidi(self) -> None:
        call = self._bidi("bidi")
        words = []
        for word in (b"one", b"two", b"three"):
            await call.write(word)
            words.append((await call.read()).decode())
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        tell("bidi", ",".join([*words, str(number(await call.code()))]))

    async def large(self) -> None:
        sent = pattern(self._asked)
        tell("large", "same" if await self._unary("large", sent) == sent else "other")

    async def error(self) -> None:
        try:
            await self._unary("error", b"x")
        except grpc.aio.AioRpcError as error:
            tell_error(error)

    async def deadline(self) -> None:
        try:
            await self._unary("deadline", b"x", timeout_s=int(self._asked["deadline_ms"]) / 1e3)
        except grpc.aio.AioRpcError as error:
            tell("deadline", number(error.code()))

    async def cancel(self) -> None:
        call = self._bidi("cancel")
        await call.write(b"one")
        await call.read()
        call.cancel()
        tell("cancel", number(await call.code()))


async def main() -> None:
    asked = asked_of()
    secrets = credentials(asked)
    channel = (
        grpc.aio.secure_channel(asked["target"], secrets, OPTIONS)
        if secrets
        else grpc.aio.insecure_channel(asked["target"], OPTIONS)
    )
    async with channel:
        await Exercises(channel, asked).all()


if __name__ == "__main__":
    asyncio.run(main())
