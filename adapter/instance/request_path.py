"""What becomes of an inference call: whose it is, whether its model is here, and what the runtime is sent.

The door (`servers/passthrough`) asks; nothing here parses a tensor.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from adapter.aio.clock import Clock
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import (
    AdapterError,
    CacheBusy,
    InvalidRequest,
    MethodNotPermitted,
    RuntimeUnavailable,
)
from adapter.domain.ids import ModelId
from adapter.instance.loader import Loader
from adapter.instance.models import Models
from adapter.instance.runtime_watch import RuntimeWatch
from adapter.servers.passthrough import Forward, InboundCall
from adapter.wire.dataplane import DataplaneConfig
from adapter.wire.headers import outbound
from adapter.wire.splice import replace_string

log = logging.getLogger(__name__)

TRIES_MAX: Final = 3
"""How often a call has its model loaded, when the runtime goes away or the model is evicted unused."""

NO_DEADLINE_WAIT_FACTOR: Final = 5.0
"""A caller without a deadline waits so many load timeouts (reference: ModelMesh core 2.7)."""


class RequestPath:
    """The `CallPath` of one instance."""

    def __init__(  # noqa: PLR0913 - what it joins, each by name
        self,
        *,
        models: Models,
        cache: ModelCache,
        loader: Loader,
        clock: Clock,
        dataplane: DataplaneConfig,
        watch: RuntimeWatch,
        runtime_name: Callable[[ModelId], str],
    ) -> None:
        self._models = models
        self._cache = cache
        self._loader = loader
        self._clock = clock
        self._dataplane = dataplane
        self._watch = watch
        self._runtime_name = runtime_name

    def check(self, method: str) -> None:
        """Raises `MethodNotPermitted` for what the configuration or the runtime does not offer."""
        runtime = self._watch.status
        if not self._dataplane.permits(method):
            raise MethodNotPermitted(f"Method not found or not permitted: {method}")
        if runtime.methods and not runtime.any_method and method not in runtime.methods:
            raise MethodNotPermitted(f"Method not found or not permitted: {method}")

    @asynccontextmanager
    async def route(self, call: InboundCall) -> AsyncIterator[Forward]:
        """What to send on for this call; while inside, its model stays loaded.

        Raises `InvalidRequest`, `ModelNotFound`, or the error of the load.
        """
        model = self._model_of(call)
        if not self._watch.is_there:
            await self._watch.there()
        timings = None if self._cache.acquire(model, self._clock.now_s()) else await self._load(model, call)
        try:
            yield self._forward(model, call, timings)
        finally:
            self._loader.carry_out(self._cache.release(model, self._clock.now_s()))

    async def copy_lost(self, call: InboundCall) -> None:
        """The runtime says that it does not hold the model of this call."""
        self._loader.copy_lost(self._model_of(call))

    def _model_of(self, call: InboundCall) -> ModelId:
        ref = self._dataplane.model_of(call.method, call.metadata, call.message)
        if ref is None:
            raise InvalidRequest("must include mm-model-id header")
        # Aliases come with the mesh; until then an alias means the model of the same name.
        return ModelId(ref.name)

    async def _load(self, model: ModelId, call: InboundCall) -> dict[str, float]:
        """Have the model loaded and pin it; where the time went, in milliseconds by step."""
        began_s = self._clock.now_s()
        wait_s_max = call.deadline_s
        if wait_s_max is None:
            wait_s_max = self._watch.status.loading_timeout_s * NO_DEADLINE_WAIT_FACTOR
        problem: AdapterError = CacheBusy(f"{model} was evicted before it could be used; try again later")
        async with asyncio.timeout(wait_s_max):
            for _ in range(TRIES_MAX):
                await self._watch.there()
                try:
                    spent = await self._models.load(model)
                except RuntimeUnavailable as error:
                    log.info("load is tried again", extra={"model": model, "error": error.described})
                    problem = error
                    continue
                if self._cache.acquire(model, self._clock.now_s()):
                    return spent.as_ms(self._clock.now_s() - began_s)
        raise problem

    def _forward(self, model: ModelId, call: InboundCall, timings: dict[str, float] | None) -> Forward:
        path = self._watch.status.methods.get(call.method, ())
        message = call.message
        if path and message is not None:
            message = replace_string(message, path, self._runtime_name(model))
        return Forward(metadata=outbound(call.metadata, model), message=message, timings=timings)
