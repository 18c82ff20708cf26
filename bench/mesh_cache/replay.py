"""The real `ModelCache` before a trace: the seconds of loading that it spends.

As in the literature on caches, a load is done before the next request comes, so that every policy is asked
the same: loads take a thousandth of their time, and are counted in full. The cache measures what they take,
as it does in an instance, and is told each second that time passes. Nothing is guarded against churn.
The first fifth of the requests warms it up.
"""

from dataclasses import dataclass

from adapter.cache.bounds import CacheBounds
from adapter.cache.eviction import Policy
from adapter.cache.messages import CacheCommand, Loaded, LoadRequested, Pulled, StartUnload, Tick, Unloaded
from adapter.cache.model_cache import ModelCache
from adapter.domain.ids import ModelId
from bench.mesh_cache.traces import Trace

WARM_UP_SHARE = 0.2
FASTER = 1000.0


@dataclass(slots=True)
class Spent:
    """After the warm-up."""

    requests: int = 0
    loads: int = 0
    load_s: float = 0.0

    @property
    def hit_ratio(self) -> float:
        return 1.0 - self.loads / self.requests


def replay(trace: Trace, policy: Policy) -> Spent:
    """Play the trace from its beginning."""
    return _Replay(trace, policy).run()


class _Replay:
    def __init__(self, trace: Trace, policy: Policy) -> None:
        self._trace = trace
        self._names = [ModelId(f"model-{place:05d}") for place in range(len(trace.models))]
        self._now_s = 0.0
        self._cache = ModelCache(
            capacity_bytes=trace.capacity_bytes,
            loading_slots=1,
            default_size_bytes=1,
            policy=policy,
            bounds=CacheBounds(churn_factor=0.0),
        )

    def run(self) -> Spent:
        spent, tick_s = Spent(), 0.0
        warm = int(len(self._trace.requests) * WARM_UP_SHARE)
        for number, (at_s, place) in enumerate(self._trace.requests):
            self._now_s = max(self._now_s, at_s)
            if self._now_s >= tick_s:
                self._cache.handle(Tick(), self._now_s)
                tick_s = self._now_s + 1.0
            missed = not self._cache.acquire(self._names[place], self._now_s)
            if missed:
                self._load(place)
            self._cache.release(self._names[place], self._now_s)
            if number >= warm:
                spent.requests += 1
                spent.loads += missed
                spent.load_s += self._trace.models[place].load_s if missed else 0.0
        return spent

    def _load(self, place: int) -> None:
        model, served, cache = self._names[place], self._trace.models[place], self._cache
        cache.handle(LoadRequested(model=model, type="any", waiting=True, used_s=self._now_s), self._now_s)
        self._unload(cache.handle(Pulled(model=model, disk_bytes=served.size_bytes), self._now_s))
        self._now_s += served.load_s / FASTER
        self._unload(cache.handle(Loaded(model=model, size_bytes=served.size_bytes), self._now_s))
        assert cache.acquire(model, self._now_s), f"{model} finds no room"

    def _unload(self, commands: list[CacheCommand]) -> None:
        for command in commands:
            if isinstance(command, StartUnload):
                self._cache.handle(Unloaded(model=command.model), self._now_s)
