"""ModelMesh's runtime SPI over our puller, layouts and drivers: what `--spi-only` serves to a foreign mesh.

The foreign mesh decides what is loaded; we hold no cache. Calls for one model are served one at a time, in
their order (reference: runtime adapter 2.9); different models do not wait for each other.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from adapter.aio.keyed_lock import KeyedLock
from adapter.domain.errors import AdapterError
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.runtime import LoadedModel, RuntimeState, RuntimeStatus
from adapter.drivers.runtime import RuntimeDriver
from adapter.instance.provisioning import Provisioner

log = logging.getLogger(__name__)

Predict = Callable[[ModelId, ModelInfo], Awaitable[int | None]]


async def predicts_nothing(model: ModelId, info: ModelInfo) -> int | None:  # noqa: ARG001 - a `Predict`
    """For runtimes that tell no size before they load."""
    return None


class SpiService:
    """The `RuntimeSpi` of one runtime."""

    def __init__(
        self,
        *,
        driver: RuntimeDriver,
        provisioner: Provisioner,
        purge: Callable[[], Awaitable[None]],
        size_multiplier: float,
        default_model_bytes: int,
        predict: Predict = predicts_nothing,
    ) -> None:
        self._driver = driver
        self._provisioner = provisioner
        self._purge = purge
        self._size_multiplier = size_multiplier
        self._default_model_bytes = default_model_bytes
        self._predict = predict
        self._turn = KeyedLock()

    async def status(self) -> RuntimeStatus:
        """The runtime's state; before READY is answered, neither it nor the disk holds a model."""
        status = await self._driver.status()
        if status.state is RuntimeState.READY:
            await self._purge()
        return status

    async def load(self, model: ModelId, info: ModelInfo) -> LoadedModel:
        """Pull, lay out, tell the runtime. What a failure leaves is taken away."""
        async with self._turn(model):
            try:
                ready = await self._provisioner.provide(model, info)
                hint = self._size_hint_bytes(ready.disk_bytes)
                loaded = await self._driver.load(model, ready.info, size_hint_bytes=hint)
            except AdapterError as error:
                log.warning("model failed to load", extra={"model": model, "error": error.described})
                # What went wrong first is what the mesh must hear of.
                with suppress(AdapterError):
                    await self._driver.unload(model)
                with suppress(AdapterError):
                    await self._provisioner.discard(model)
                raise
        log.info("model loaded", extra={"model": model, "size_bytes": loaded.size_bytes})
        return loaded

    async def unload(self, model: ModelId) -> None:
        """Tell the runtime, then delete the files."""
        async with self._turn(model):
            await self._driver.unload(model)
            await self._provisioner.discard(model)
        log.info("model unloaded", extra={"model": model})

    async def size(self, model: ModelId) -> int | None:
        return await self._driver.size_bytes(model)

    async def predict_size(self, model: ModelId, info: ModelInfo) -> int | None:
        return await self._predict(model, info)

    def _size_hint_bytes(self, disk_bytes: int | None) -> int:
        """The size that is told when the runtime tells none (reference: runtime adapter 3.2)."""
        if disk_bytes is None:
            return self._default_model_bytes
        return int(disk_bytes * self._size_multiplier)
