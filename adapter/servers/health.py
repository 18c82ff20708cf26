"""`grpc.health.v1.Health`: whether inference can be answered now, for probes and for clients that balance.

The empty name stands for all of it. Whoever watches is told of each change, and at last that we stop. The
library has the messages; its own service forgets all watchers of a name when one of them leaves.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from adapter.domain.errors import Broken, Code, Refused
from adapter.servers.grpc_server import Answering, Context, method_handler

SERVICE: Final = "grpc.health.v1.Health"

LOOK_S: Final = 1.0
"""How often a watched state is looked at."""

WATCHERS_MAX: Final = 1000


class ServiceUnknown(Refused):
    """Nobody here offers a service of this name."""

    code = Code.NOT_FOUND


class TooManyWatchers(Broken):
    """More watch the health than there is good reason for."""

    code = Code.RESOURCE_EXHAUSTED


class Health:
    """The service, until it is stopped."""

    def __init__(self, is_serving: Callable[[str], bool | None]) -> None:
        """`is_serving` tells of the service of this full name; None: there is no such service."""
        self._is_serving = is_serving
        self._stopped = asyncio.Event()
        self._watchers = 0

    def handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        """The handlers of the service."""
        methods = {
            "Check": method_handler(self._check, HealthCheckRequest),
            "Watch": grpc.unary_stream_rpc_method_handler(
                self._watch,
                request_deserializer=HealthCheckRequest.FromString,
                response_serializer=HealthCheckResponse.SerializeToString,
            ),
        }
        return (grpc.method_handlers_generic_handler(SERVICE, methods),)

    def stop(self) -> None:
        """We go: nothing is served any more, and each watch ends with that."""
        self._stopped.set()

    def _told(self, service: str) -> HealthCheckResponse:
        serving = self._is_serving(service)
        if serving is None:
            return HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)
        if serving and not self._stopped.is_set():
            return HealthCheckResponse(status=HealthCheckResponse.SERVING)
        return HealthCheckResponse(status=HealthCheckResponse.NOT_SERVING)

    async def _check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
        async with Answering(context, "Check"):
            told = self._told(request.service)
            if told.status == HealthCheckResponse.SERVICE_UNKNOWN:
                raise ServiceUnknown(f"no service {request.service!r} is offered here")
            return told

    async def _watch(
        self, request: HealthCheckRequest, context: Context
    ) -> AsyncIterator[HealthCheckResponse]:
        async with Answering(context, "Watch"):
            if self._watchers >= WATCHERS_MAX:
                raise TooManyWatchers(f"{WATCHERS_MAX} watch the health already; ask with Check instead")
        self._watchers += 1
        try:
            before = None
            while True:
                stopped = self._stopped.is_set()
                told = self._told(request.service)
                if told != before:
                    yield told
                    before = told
                if stopped:
                    return
                await self._pause()
        finally:
            self._watchers -= 1

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(LOOK_S):
                await self._stopped.wait()
        except TimeoutError:
            return
