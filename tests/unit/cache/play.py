"""A cache under test, with words for what a loader would report. Checks the invariants after every event."""

from collections.abc import Callable
from typing import Any

from adapter.cache.bounds import CacheBounds
from adapter.cache.entry import EntryState
from adapter.cache.eviction import Policy
from adapter.cache.failures import Failure
from adapter.cache.messages import (
    CacheCommand,
    CacheEvent,
    Loaded,
    LoadFailed,
    LoadRequested,
    Pulled,
    Settled,
    StartUnload,
    Tick,
    Unloaded,
)
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import AdapterError
from adapter.domain.ids import ModelId


class Play:
    """One cache and its time. A size of 80 on disk is predicted as 100 in memory. Churn is let be."""

    def __init__(
        self, *, capacity: int = 300, slots: int = 2, policy: Policy = "gdsf", **bounds: Any
    ) -> None:
        self.cache = ModelCache(
            capacity_bytes=capacity,
            loading_slots=slots,
            default_size_bytes=100,
            policy=policy,
            failure_expiry_s=900,
            bounds=CacheBounds(**{"churn_factor": 0.0, **bounds}),
        )
        self.now_s = 1000.0

    def tell(self, event: CacheEvent) -> list[CacheCommand]:
        commands = self.cache.handle(event, self.now_s)
        self.cache.check()
        return commands

    def ask(
        self, model: str, *, waiting: bool = True, used_s: float | None = None, pinned: bool | None = None
    ) -> list[CacheCommand]:
        used_s = self.now_s if used_s is None else used_s
        asked = ModelId(model)
        return self.tell(LoadRequested(model=asked, type="t", waiting=waiting, used_s=used_s, pinned=pinned))

    def pulled(self, model: str, disk: int | None = 80) -> list[CacheCommand]:
        return self.tell(Pulled(model=ModelId(model), disk_bytes=disk))

    def loaded(self, model: str, size: int | None = 100) -> list[CacheCommand]:
        return self.tell(Loaded(model=ModelId(model), size_bytes=size))

    def failed(self, model: str, error: AdapterError) -> list[CacheCommand]:
        return self.tell(LoadFailed(model=ModelId(model), failure=Failure(error=error, at_s=self.now_s)))

    def unloaded(self, model: str, failure: str | None = None) -> list[CacheCommand]:
        return self.tell(Unloaded(model=ModelId(model), failure=failure))

    def tick(self, seconds: float = 1.0) -> list[CacheCommand]:
        self.now_s += seconds
        return self.tell(Tick())

    def acquire(self, model: str) -> bool:
        acquired = self.cache.acquire(ModelId(model), self.now_s)
        self.cache.check()
        return acquired

    def release(self, model: str) -> list[CacheCommand]:
        commands = self.cache.release(ModelId(model), self.now_s)
        self.cache.check()
        return commands

    def use(self, model: str) -> None:
        assert self.acquire(model)
        assert self.release(model) == []

    def load(self, model: str, *, size: int = 100, load_s: float = 1.0, used: bool = True) -> None:
        """From being asked for to being loaded, evicting what must go; and used once by who waited."""
        self.ask(model)
        commands = self.pulled(model, disk=size * 4 // 5)
        for command in commands:
            if isinstance(command, StartUnload):
                self.unloaded(command.model)
        self.now_s += load_s
        self.loaded(model, size)
        if used:
            self.use(model)

    def state(self, model: str) -> EntryState | None:
        return self.cache.state(ModelId(model))

    def where(self, has: Callable[[EntryState], bool]) -> set[str]:
        """The models whose state is so."""
        return {model for model in self.cache if (state := self.cache.state(model)) and has(state)}


def only(commands: list[CacheCommand], kind: type[CacheCommand]) -> list[Any]:
    """The commands of one kind."""
    return [command for command in commands if isinstance(command, kind)]


def error_of(commands: list[CacheCommand]) -> Exception | None:
    """Why those who wait for the one settled model fail."""
    [settled] = [command for command in commands if isinstance(command, Settled)]
    return None if settled.failure is None else settled.failure.error
