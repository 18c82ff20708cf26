"""The connection to the runtime that inference goes over; bytes in, bytes out."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import grpc

from adapter.domain.errors import Code
from adapter.wire.headers import Pair

RECONNECT_MS_MIN = 100
"""Runtimes restart; the client library's second would be noticed."""
RECONNECT_MS_MAX = 1_000
CONNECT_MS_MAX = 2_000
"""How long one try to connect may take."""


@dataclass(slots=True, kw_only=True)
class Ending:
    """How a call to the runtime ended."""

    code: Code = Code.OK
    text: str = ""
    initial: Sequence[Pair] = ()
    trailing: Sequence[Pair] = ()
    message: bytes | None = None
    """The response of a unary call."""
    can_repeat: bool = True
    """No response was passed on, and no more than the first message was sent."""

    @classmethod
    def of(cls, error: grpc.aio.AioRpcError) -> Self:
        """What grpc raises for a status that is not OK."""
        return cls(
            code=Code(error.code().value[0]),
            text=error.details() or "",
            initial=metadata_pairs(error.initial_metadata()),
            trailing=metadata_pairs(error.trailing_metadata()),
        )


def metadata_pairs(metadata: grpc.aio.Metadata | None) -> Sequence[Pair]:
    """Metadata as pairs."""
    return tuple(metadata) if metadata else ()


@asynccontextmanager
async def runtime_channel(address: str, *, message_bytes_max: int) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to `127.0.0.1:port` or `unix:path`, plaintext and through no proxy."""
    options = (
        ("grpc.max_receive_message_length", message_bytes_max),
        ("grpc.max_send_message_length", -1),  # the door has limited it already
        ("grpc.initial_reconnect_backoff_ms", RECONNECT_MS_MIN),
        ("grpc.max_reconnect_backoff_ms", RECONNECT_MS_MAX),
        ("grpc.min_reconnect_backoff_ms", CONNECT_MS_MAX),  # so it is called; it bounds one try
        ("grpc.enable_http_proxy", 0),
        ("grpc.enable_retries", 0),
    )
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        yield channel
