"""Calls for an alias with a shadow: a copy of each goes to the shadow model, and nobody gets its answer.

It is sent once the client has its own answer, so that it costs the client nothing, and as a call of its own
that is counted for no client. Only so many at once: beyond that calls are not copied.
"""

import asyncio
import logging
from typing import Final

from adapter.domain.errors import Code
from adapter.http2.call import Call
from adapter.servers.relay_server import RelayServer
from adapter.wire.grpc_messages import PREFIX_BYTES, is_one_message
from adapter.wire.headers import forwarded

log = logging.getLogger(__name__)

AT_ONCE_MAX: Final = 64
TIMEOUT_S: Final = 60.0
"""A shadow that takes longer is not waited for."""
_OF_ITS_OWN: Final = frozenset({"content-length", "te"})


class Shadows:
    """Copies calls to the shadows of their aliases."""

    def __init__(self, owner: asyncio.TaskGroup) -> None:
        self.calls: RelayServer | None = None
        """Where the copies are made; the program sets it."""
        self.sent = 0
        self.dropped = 0
        self._owner = owner
        self._under_way = 0

    def cast(self, call: Call, shadow: str) -> None:
        """Send a copy of what was asked, if it was one message and that was kept."""
        if call.spied_request is None or call.inner:
            return
        message = b"".join(call.spied_request)
        if not is_one_message(message, len(message)):  # one that is compressed would need to be read first
            return
        if self._under_way >= AT_ONCE_MAX:
            self.dropped += 1
            return
        self._under_way += 1
        self._owner.create_task(self._send(call, shadow, message[PREFIX_BYTES:]), name=f"shadow {shadow}")

    async def _send(self, call: Call, shadow: str, message: bytes) -> None:
        assert self.calls is not None
        metadata = [pair for pair in forwarded(call.head.metadata()) if pair[0] not in _OF_ITS_OWN]
        metadata.append(("mm-model-id-bin", shadow.encode()))
        try:
            answer = await self.calls.unary(
                call.head.rpc, message, metadata=metadata, timeout_s=TIMEOUT_S, inner=True
            )
            self.sent += 1
            if answer.code is not Code.OK:
                log.info("a shadow failed", extra={"model": shadow, "code": answer.code.name})
        finally:
            self._under_way -= 1
