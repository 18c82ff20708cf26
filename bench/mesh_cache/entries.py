"""What one step of a cache of many entries costs."""

import statistics
import time
import tracemalloc
from collections.abc import Callable

from adapter.cache.bounds import CacheBounds
from adapter.cache.messages import Loaded, LoadRequested, Pulled, StartUnload, Tick, Unloaded
from adapter.cache.model_cache import ModelCache
from adapter.domain.ids import ModelId

SIZE_BYTES = 1000
ROUNDS = 5


def cost_of_entries(entries: int) -> dict[str, object]:
    """Memory and time of a full cache of so many copies."""
    names = [ModelId(f"model-{place:06d}") for place in range(entries)]
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    cache = _full(names)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    now_s = 3600.0
    cache.handle(Tick(), now_s)

    def use_all() -> None:
        nonlocal now_s
        for name in names:
            now_s += 0.001
            cache.acquire(name, now_s)
            cache.release(name, now_s)

    def load_some() -> None:
        nonlocal now_s
        for number in range(500):
            now_s += 0.01
            _load(cache, ModelId(f"new-{now_s:.2f}-{number}"), now_s)

    use_us = _median_s(use_all) / entries * 1e6
    load_us = _median_s(load_some) / 500 * 1e6
    return {
        "entries": entries,
        "entry_bytes": round((after - before) / entries),
        "use_us": round(use_us, 2),
        "load_us": round(load_us, 1),
    }


def _full(names: list[ModelId]) -> ModelCache:
    cache = ModelCache(
        capacity_bytes=len(names) * SIZE_BYTES,
        loading_slots=1,
        default_size_bytes=SIZE_BYTES,
        policy="lhd",
        bounds=CacheBounds(churn_factor=0.0),
    )
    for place, name in enumerate(names):
        _load(cache, name, place * 0.1)
    return cache


def _load(cache: ModelCache, model: ModelId, now_s: float) -> None:
    """A request for a model that is not there, as a loader would see to it."""
    cache.handle(LoadRequested(model=model, type="any", waiting=True, used_s=now_s), now_s)
    for command in cache.handle(Pulled(model=model, disk_bytes=SIZE_BYTES), now_s):
        if isinstance(command, StartUnload):
            cache.handle(Unloaded(model=command.model), now_s)
    cache.handle(Loaded(model=model, size_bytes=SIZE_BYTES), now_s + 0.001)
    cache.acquire(model, now_s + 0.001)
    cache.release(model, now_s + 0.001)


def _median_s(deed: Callable[[], None]) -> float:
    """Of several rounds."""
    took_s = []
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        deed()
        took_s.append(time.perf_counter() - began_s)
    return statistics.median(took_s)
