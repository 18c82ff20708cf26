"""A mesh as aliases see it: so many instances, each of which may hold one copy of each model."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from adapter.domain.errors import ModelNotFound
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.status import CopyStatus, ModelReport, ModelStatus
from adapter.registry.model_records import ModelRecords


@dataclass(slots=True, kw_only=True)
class FakeMesh:
    """`held` is the truth; a load takes `load_s`, and fails for models in `failures`."""

    models: ModelRecords
    instances: int = 1
    load_s: float = 0.0
    failures: dict[ModelId, str] = field(default_factory=dict)
    held: dict[ModelId, int] = field(default_factory=dict)
    loading: Counter[ModelId] = field(default_factory=Counter)
    """Callers that wait for it."""
    asked: list[tuple[ModelId, int, bool, int]] = field(default_factory=list)
    """Model, copies, sync and last use of each call of `ensure_copies`."""

    def loaded(self, model: ModelId) -> int:
        return self.held.get(model, 0)

    def there_or_coming(self, model: ModelId) -> int:
        return self.loaded(model) or min(self.loading[model], self.instances)

    async def status(self, model: ModelId) -> ModelReport:
        if await self.models.get(model) is None:
            return ModelReport(status=ModelStatus.NOT_FOUND)
        if self.loaded(model):
            copy = CopyStatus(instance=InstanceId("i"), status=ModelStatus.UNKNOWN, since_ms=7)
            return ModelReport(status=ModelStatus.LOADED, copies=(copy,))
        if self.loading[model]:
            return ModelReport(status=ModelStatus.LOADING)
        if model in self.failures:
            return ModelReport(status=ModelStatus.LOADING_FAILED, errors=(self.failures[model],))
        return ModelReport(status=ModelStatus.NOT_LOADED)

    async def ensure_copies(
        self, model: ModelId, *, copies: int, sync: bool, last_used_ms: int
    ) -> ModelReport:
        self.asked.append((model, copies, sync, last_used_ms))
        if await self.models.get(model) is None:
            raise ModelNotFound(f"model not found: {model}")
        if sync and self.loaded(model) < copies:
            self.loading[model] += 1
            try:
                await asyncio.sleep(self.load_s)
            finally:
                self.loading[model] -= 1
            if model not in self.failures:
                self.held[model] = max(min(copies, self.instances), self.loaded(model))
        return await self.status(model)
