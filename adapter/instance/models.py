"""The registered models as this instance serves them: register, forget, load, report (`mmesh.ModelMesh`).

Follows ModelMesh's management semantics (reference: ModelMesh core 1.3) for a mesh of one instance.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from adapter.aio.clock import Clock
from adapter.cache.entry import EntryState
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import AdapterError, InvalidRequest, ModelExists, ModelNotFound, Refused
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import ModelInfo, ModelRecord
from adapter.domain.status import CopyStatus, ModelReport, ModelStatus
from adapter.instance.flights import LoadTimings
from adapter.instance.loader import Loader
from adapter.instance.runtime_watch import RuntimeWatch
from adapter.registry.model_records import ModelRecords
from adapter.wire.headers import ModelRef

log = logging.getLogger(__name__)

HOUR_MS: Final = 3_600_000
AGE_WHEN_LOADED_NOW_MS: Final = HOUR_MS
AGE_WHEN_REGISTERED_MS: Final = 6 * HOUR_MS
"""How long ago a new model counts as used (reference: ModelMesh core 4.1, `LASTUSED_AGE_ON_ADD_MS`)."""

LAST_USED_NOTED_MS: Final = HOUR_MS
"""A use is written to the registry only if it is so much later than the one that is there."""

LOADED_STATES: Final = frozenset({EntryState.SIZING, EntryState.ACTIVE})
LOADING_STATES: Final = frozenset(
    {EntryState.QUEUED, EntryState.PULLING, EntryState.WAITING, EntryState.LOADING}
)


class Models:
    """What the management API and the request path ask of this instance."""

    def __init__(
        self,
        *,
        instance: InstanceId,
        records: ModelRecords,
        cache: ModelCache,
        loader: Loader,
        clock: Clock,
        watch: RuntimeWatch,
    ) -> None:
        self._instance = instance
        self._records = records
        self._cache = cache
        self._loader = loader
        self._clock = clock
        self._watch = watch

    # For the request path.

    async def record(self, model: ModelId) -> ModelRecord:
        """The registration. Raises `ModelNotFound`."""
        record = self._records.cached(model) or await self._records.get(model)
        if record is None:
            raise ModelNotFound(f"model {model} is not registered; register it with registerModel")
        return record

    async def load(self, model: ModelId) -> LoadTimings:
        """Wait until the model is loaded. Raises `ModelNotFound` or the error of the load."""
        record = await self.record(model)
        return await self._loader.load(model, record.info, used_s=self._clock.now_s())

    # For what V2 asks of the mesh itself.

    async def server_ready(self) -> bool:
        """Whether the runtime is there."""
        return self._watch.is_there

    async def ready(self, ref: ModelRef) -> bool:
        """Whether a call for the model would be answered: it is loaded, or will be when it is asked for.

        Never loads it. Raises `ModelNotFound`.
        """
        model = ModelId(ref.name)
        await self.record(model)
        return self._status(model) is not ModelStatus.LOADING_FAILED

    async def repository_load(self, ref: ModelRef) -> None:
        """Wait until the model is loaded. Raises `ModelNotFound`, or the error of the load."""
        await self.load(ModelId(ref.name))

    async def repository_unload(self, ref: ModelRef) -> None:
        """Give the copy up; the registration stays, and the next request loads the model again.

        Raises `ModelNotFound`, or `Refused` while callers wait for the model to be loaded.
        """
        model = ModelId(ref.name)
        await self.record(model)
        if not self._loader.unload(model):
            raise Refused(f"model {model} is being loaded for calls that wait for it; unload it after them")
        log.info("model is unloaded on demand", extra={"model": model})

    async def names(self, *, after: str, limit: int) -> Sequence[tuple[ModelId, ModelStatus]]:
        """At most `limit` registered models that come after `after`, by name, each with its status."""
        page = await self._records.page(after=after, limit=limit)
        return [(model, self._status(model)) for model, _ in page]

    # For the management API.

    async def register(
        self, model: ModelId, info: ModelInfo, *, load_now: bool, sync: bool, last_used_ms: int
    ) -> ModelReport:
        """Register; the same again is fine. Raises `ModelExists` or `InvalidRequest`."""
        if not info.type:
            raise InvalidRequest(f"model {model} needs a type: modelInfo.type must not be empty")
        used_ms = self._first_use_ms(last_used_ms, load_now=load_now)
        if await self._records.create(model, ModelRecord(info=info, last_used_ms=used_ms)):
            log.info("model registered", extra={"model": model, "type": info.type})
        else:
            await self._registered_alike(model, info, used_ms=0 if load_now else last_used_ms)
        if load_now:
            return await self.ensure_loaded(model, sync=sync, last_used_ms=used_ms)
        return self.report(model)

    async def unregister(self, model: ModelId) -> None:
        """Forget the model and unload it; one that is not registered is fine."""
        if await self._records.delete(model):
            log.info("model unregistered", extra={"model": model})
        self._loader.drop(model)

    async def status(self, model: ModelId) -> ModelReport:
        """What is known of the model; one that is not registered has the status NOT_FOUND."""
        if self._records.cached(model) is None and await self._records.get(model) is None:
            return ModelReport(status=ModelStatus.NOT_FOUND)
        return self.report(model)

    async def ensure_loaded(self, model: ModelId, *, sync: bool, last_used_ms: int) -> ModelReport:
        """Load the model if it is not; with `sync` wait for the end. The report tells of a failed load."""
        record = await self.record(model)
        now_ms, now_s = self._clock.epoch_ms(), self._clock.now_s()
        used_s = now_s - max(now_ms - last_used_ms, 0) / 1e3 if last_used_ms else now_s
        if sync:
            try:
                await self._loader.load(model, record.info, used_s=used_s)
            except AdapterError as error:
                log.debug(
                    "ensureLoaded reports a failed load", extra={"model": model, "error": error.described}
                )
                if self._cache.failure(model, now_s) is None:
                    return ModelReport(status=ModelStatus.LOADING_FAILED, errors=(error.described,))
        else:
            self._loader.start_load(model, record.info, used_s=used_s)
        return self.report(model)

    def report(self, model: ModelId) -> ModelReport:
        """The status of a registered model, from what this instance holds."""
        status, now_ms, now_s = self._status(model), self._clock.epoch_ms(), self._clock.now_s()
        failure = self._cache.failure(model, now_s)
        since_s = failure.at_s if failure else self._cache.loading_since(model)
        if since_s is None:
            return ModelReport(status=status)
        copy = CopyStatus(
            instance=self._instance,
            # ModelMesh does not tell a loading copy from a loaded one here, and lists both as UNKNOWN.
            status=ModelStatus.LOADING_FAILED if failure else ModelStatus.UNKNOWN,
            since_ms=now_ms - round((now_s - since_s) * 1e3),
        )
        return ModelReport(
            status=status, errors=(failure.error.described,) if failure else (), copies=(copy,)
        )

    def _status(self, model: ModelId) -> ModelStatus:
        state = self._cache.state(model)
        if state in LOADED_STATES:
            return ModelStatus.LOADED
        if state in LOADING_STATES:
            return ModelStatus.LOADING
        if self._cache.failure(model, self._clock.now_s()):
            return ModelStatus.LOADING_FAILED
        return ModelStatus.NOT_LOADED

    async def _registered_alike(self, model: ModelId, info: ModelInfo, *, used_ms: int) -> None:
        """Check what is registered already, and note a use that is much later than the one noted."""

        def change(there: ModelRecord) -> ModelRecord:
            if there.info != info:
                raise ModelExists(f"Model already exists with different attribute values: {model}")
            later = used_ms - there.last_used_ms > LAST_USED_NOTED_MS
            return replace(there, last_used_ms=used_ms) if later else there

        await self._records.update(model, change)

    def _first_use_ms(self, asked_ms: int, *, load_now: bool) -> int:
        now_ms = self._clock.epoch_ms()
        if asked_ms:
            return min(asked_ms, now_ms)
        return now_ms - (AGE_WHEN_LOADED_NOW_MS if load_now else AGE_WHEN_REGISTERED_MS)
