"""The programs behind the management API, the SPI and the V2 answers: dictionaries that hold the truth."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from adapter.domain.errors import ModelCorrupt, ModelExists, ModelNotFound
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRules, ModelInfo
from adapter.domain.runtime import LoadedModel, RuntimeState, RuntimeStatus
from adapter.domain.status import CopyStatus, ModelReport, ModelStatus
from adapter.wire.headers import ModelRef


@dataclass(slots=True, kw_only=True)
class FakeManagement:
    """A mesh whose models load at once; also what `inference` asks."""

    infos: dict[ModelId, ModelInfo] = field(default_factory=dict)
    loaded: dict[ModelId, int] = field(default_factory=dict)
    """By model, the time of last use it was loaded with."""
    failed: dict[ModelId, str] = field(default_factory=dict)
    rules: dict[ModelId, CopyRules] = field(default_factory=dict)
    error: BaseException | None = None

    async def register(
        self,
        model: ModelId,
        info: ModelInfo,
        *,
        load_now: bool,
        sync: bool,
        last_used_ms: int,
        rules: CopyRules | None = None,
    ) -> ModelReport:
        if rules is not None:
            self.rules[model] = rules
        if self.infos.setdefault(model, info) != info:
            raise ModelExists(f"Model already exists with different attribute values: {model}")
        if load_now:
            return await self.ensure_loaded(model, sync=sync, last_used_ms=last_used_ms)
        return await self.status(model)

    async def unregister(self, model: ModelId) -> None:
        self.infos.pop(model, None)
        self.loaded.pop(model, None)

    async def status(self, model: ModelId) -> ModelReport:
        if self.error is not None:
            raise self.error
        if model not in self.infos:
            return ModelReport(status=ModelStatus.NOT_FOUND)
        status = self._status(model)
        if status is ModelStatus.NOT_LOADED:
            return ModelReport(status=status)
        copy = CopyStatus(instance=InstanceId("i-1"), status=status, since_ms=7)
        errors = (self.failed[model],) if model in self.failed else ()
        return ModelReport(status=status, errors=errors, copies=(copy,))

    async def ensure_loaded(self, model: ModelId, *, sync: bool, last_used_ms: int) -> ModelReport:
        if model not in self.infos:
            raise ModelNotFound("model not found")
        if sync and model not in self.failed:
            self.loaded[model] = last_used_ms
        return await self.status(model)

    async def server_ready(self) -> bool:
        return self.error is None

    async def ready(self, ref: ModelRef) -> bool:
        model = ModelId(ref.name)
        if model not in self.infos:
            raise ModelNotFound(f"model {model} is not registered")
        return model in self.loaded

    async def repository_load(self, ref: ModelRef) -> None:
        await self.ready(ref)
        if ref.name in self.failed:
            raise ModelCorrupt(self.failed[ModelId(ref.name)])
        self.loaded[ModelId(ref.name)] = 0

    async def repository_unload(self, ref: ModelRef) -> None:
        await self.ready(ref)
        self.loaded.pop(ModelId(ref.name), None)

    async def names(self, *, after: str, limit: int) -> Sequence[tuple[ModelId, ModelStatus]]:
        names = sorted(name for name in self.infos if name > after)[:limit]
        return [(name, self._status(name)) for name in names]

    def _status(self, model: ModelId) -> ModelStatus:
        if model in self.failed:
            return ModelStatus.LOADING_FAILED
        return ModelStatus.LOADED if model in self.loaded else ModelStatus.NOT_LOADED


@dataclass(slots=True, kw_only=True)
class FakeRuntimeSpi:
    """A runtime behind the SPI; each model's size is what `sizes` says."""

    state: RuntimeStatus = field(default_factory=lambda: RuntimeStatus(state=RuntimeState.READY))
    error: BaseException | None = None
    sizes: dict[ModelId, int] = field(default_factory=dict)
    held: dict[ModelId, ModelInfo] = field(default_factory=dict)

    async def status(self) -> RuntimeStatus:
        if self.error is not None:
            raise self.error
        return self.state

    async def load(self, model: ModelId, info: ModelInfo) -> LoadedModel:
        if self.error is not None:
            raise self.error
        self.held[model] = info
        return LoadedModel(size_bytes=self.sizes.get(model), concurrency_max=3)

    async def unload(self, model: ModelId) -> None:
        self.held.pop(model, None)

    async def size(self, model: ModelId) -> int | None:
        return self.sizes.get(model)

    async def predict_size(self, model: ModelId, info: ModelInfo) -> int | None:
        return self.sizes.get(model)
