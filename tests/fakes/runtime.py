"""A runtime for unit tests: a driver that knows what is really loaded, and fails as it is told to."""

import asyncio
from collections import Counter

from adapter.domain.errors import AdapterError, RuntimeUnavailable
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.runtime import LoadedModel, RuntimeState, RuntimeStatus


class FakeRuntime:
    """Driver and runtime in one. `held` is the truth; all else is a script, or counts."""

    def __init__(
        self,
        *,
        capacity_bytes: int = 1 << 30,
        loading_concurrency: int = 1,
        default_model_bytes: int = 1_000_000,
    ) -> None:
        self.held: dict[ModelId, int] = {}
        """What is in memory, with its size in bytes."""
        self.held_bytes_most = 0
        self.loads: Counter[ModelId] = Counter()
        """Loads that succeeded."""
        self.unloads: Counter[ModelId] = Counter()
        """Unloads of what was held."""
        self.loading_most = 0
        """The most loads at once there ever were."""

        self.up = True
        self.load_s = 0.0
        self.unload_s = 0.0
        self.sizes: dict[ModelId, int] = {}
        """In bytes; for others the hint is believed."""
        self.tells_size_at_load = True
        self.load_failures: dict[ModelId, AdapterError] = {}
        self.unload_failures: dict[ModelId, AdapterError] = {}

        self._status = RuntimeStatus(
            state=RuntimeState.READY,
            capacity_bytes=capacity_bytes,
            loading_concurrency=loading_concurrency,
            default_model_bytes=default_model_bytes,
        )
        self._loading = 0
        self._lives = 1

    def __repr__(self) -> str:
        return f"<FakeRuntime holds {sorted(self.held)}>"

    def crash(self) -> None:
        """`kill -9`: what it loads is never loaded."""
        self.up = False
        self._lives += 1
        self.held.clear()

    def restart(self) -> None:
        """As after `kill -9`: it is there, and empty."""
        self.up = True
        self.held.clear()

    async def status(self) -> RuntimeStatus:
        if not self.up:
            return RuntimeStatus(state=RuntimeState.STARTING, reason="it is not there")
        self.held.clear()
        return self._status

    async def load(self, model: ModelId, info: ModelInfo, *, size_hint_bytes: int) -> LoadedModel:
        self._answer()
        self._loading += 1
        life = self._lives
        self.loading_most = max(self.loading_most, self._loading)
        try:
            await asyncio.sleep(self.load_s)
        except asyncio.CancelledError:
            # The worst that a runtime may do: it goes on, and only an unload gets rid of the model.
            self._hold(model, size_hint_bytes)
            raise
        finally:
            self._loading -= 1
        self._answer(life)
        if failure := self.load_failures.get(model):
            raise type(failure)(*failure.args)
        self._hold(model, size_hint_bytes)
        self.loads[model] += 1
        return LoadedModel(size_bytes=self.held[model] if self.tells_size_at_load else None)

    async def unload(self, model: ModelId) -> None:
        self._answer()
        await asyncio.sleep(self.unload_s)
        self._answer()
        if failure := self.unload_failures.get(model):
            raise type(failure)(*failure.args)
        if self.held.pop(model, None) is not None:
            self.unloads[model] += 1

    async def size_bytes(self, model: ModelId) -> int | None:
        self._answer()
        return self.held.get(model)

    def _hold(self, model: ModelId, size_hint_bytes: int) -> None:
        self.held[model] = self.sizes.get(model, size_hint_bytes)
        self.held_bytes_most = max(self.held_bytes_most, sum(self.held.values()))

    def _answer(self, life: int | None = None) -> None:
        if not self.up or life not in {None, self._lives}:
            raise RuntimeUnavailable("the runtime is not there")
