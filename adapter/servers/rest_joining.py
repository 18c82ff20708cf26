"""An answer's head and body in one piece: one system call, one packet, one awakening of the client."""

import asyncio
from typing import Any

_ANSWER = b"HTTP/1.1 "
_CONTINUE = b"HTTP/1.1 1"

JOINED_BYTES_MAX = 64 * 1024
"""A larger body is not copied for it."""


class JoinedWrites:
    """A transport that keeps the head of an answer until its body, or the end, is there.

    uvicorn writes first the one and then the other. What is no head goes through at once; everything else
    that a transport does is the transport's.
    """

    __slots__ = ("_head", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        head = self._head
        if head:
            self._head = b""
            if len(data) <= JOINED_BYTES_MAX:
                data = head + data
            else:
                self._transport.write(head)
            self._transport.write(data)
        elif data.startswith(_ANSWER) and not data.startswith(_CONTINUE):
            self._head = data
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """No body comes."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the transport has
        return getattr(self._transport, name)
