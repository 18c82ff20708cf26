"""A mesh of one instance behind the management API, with real records and a runtime that a path describes.

Paths are those of `tests/fakes/model_runtime_server.py`. What it holds is the truth, in a dictionary.
"""

import asyncio
import re
from dataclasses import dataclass, field, replace

from adapter.domain.errors import ModelExists, ModelNotFound
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRules, ModelInfo, ModelRecord
from adapter.domain.status import CopyStatus, ModelReport, ModelStatus
from adapter.registry.model_records import ModelRecords
from adapter.registry.registry import Entry

HERE = InstanceId("i-1")
_LOAD_MS = re.compile(r"SIZE_\d+_(\d+)_")


@dataclass(slots=True, kw_only=True)
class ManagedMesh:
    """What `management_handlers` and `VModels` ask for."""

    models: ModelRecords
    owner: asyncio.TaskGroup
    loads: dict[ModelId, asyncio.Task[None]] = field(default_factory=dict)
    failures: dict[ModelId, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.models.on_change.append(self._heard)

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
        record = ModelRecord(info=info, last_used_ms=last_used_ms, rules=rules or CopyRules())
        if not await self.models.create(model, record):
            there = await self.models.get(model, fresh=True)
            if there is not None and there.info != info:
                raise ModelExists(f"Model already exists with different attribute values: {model}")
            if rules is not None:
                await self.models.update(model, lambda there: replace(there, rules=rules))
        if load_now:
            return await self.ensure_loaded(model, sync=sync, last_used_ms=last_used_ms)
        return self._report(model)

    async def unregister(self, model: ModelId) -> None:
        await self.models.delete(model)
        self._heard(model, None)

    async def status(self, model: ModelId) -> ModelReport:
        if await self.models.get(model, fresh=True) is None:
            return ModelReport(status=ModelStatus.NOT_FOUND)
        return self._report(model)

    async def ensure_loaded(self, model: ModelId, *, sync: bool, last_used_ms: int) -> ModelReport:
        record = await self.models.get(model, fresh=True)
        if record is None:
            raise ModelNotFound(f"nothing is registered as {model}")
        if model not in self.loads and model not in self.failures:
            self.loads[model] = self.owner.create_task(self._load(model, record.info))
        if sync and model in self.loads:
            await asyncio.wait((self.loads[model],))
        return self._report(model)

    async def ensure_copies(
        self, model: ModelId, *, copies: int, sync: bool, last_used_ms: int
    ) -> ModelReport:
        return await self.ensure_loaded(model, sync=sync, last_used_ms=last_used_ms)

    def loaded(self, model: ModelId) -> int:
        load = self.loads.get(model)
        return int(load is not None and load.done())

    def there_or_coming(self, model: ModelId) -> int:
        return int(model in self.loads)

    async def _load(self, model: ModelId, info: ModelInfo) -> None:
        told = info.path.partition("FAIL_")[2]
        if told:
            self.failures[model] = f"INTERNAL: {told}"
            del self.loads[model]
            return
        found = _LOAD_MS.search(info.path)
        await asyncio.sleep(int(found[1]) / 1000 if found else 0)

    def _heard(self, model: str, entry: Entry | None) -> None:
        """It is unregistered: whoever holds it lets it go."""
        if entry is None:
            load = self.loads.pop(ModelId(model), None)
            if load is not None:
                load.cancel()
            self.failures.pop(ModelId(model), None)

    def _report(self, model: ModelId) -> ModelReport:
        if model in self.failures:
            copy = CopyStatus(instance=HERE, status=ModelStatus.LOADING_FAILED, since_ms=7)
            return ModelReport(
                status=ModelStatus.LOADING_FAILED, errors=(self.failures[model],), copies=(copy,)
            )
        if model not in self.loads:
            return ModelReport(status=ModelStatus.NOT_LOADED)
        copy = CopyStatus(instance=HERE, status=ModelStatus.UNKNOWN, since_ms=7)
        status = ModelStatus.LOADED if self.loaded(model) else ModelStatus.LOADING
        return ModelReport(status=status, copies=(copy,))
