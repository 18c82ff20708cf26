"""How full this instance is, as metrics."""

from typing import Final

from adapter.aio.clock import Clock
from adapter.cache.cache_view import CacheView
from adapter.telemetry.metrics import InstanceFigures, Metrics

KEPT_S: Final = 0.1
"""Each gauge of a scrape asks for all figures, and to find the coldest copy is to look at every one."""


class CacheFigures:
    """What the gauges of one instance tell."""

    def __init__(self, cache: CacheView, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock
        self._read_s = 0.0
        self._figures: InstanceFigures | None = None

    def read(self) -> InstanceFigures:
        """The figures of now, or of a moment ago."""
        now_s = self._clock.now_s()
        if self._figures is None or now_s - self._read_s > KEPT_S:
            self._figures = self._look(now_s)
            self._read_s = now_s
        return self._figures

    def _look(self, now_s: float) -> InstanceFigures:
        used_s = self._cache.coldest_used_s()
        unused_s = None if used_s is None else max(now_s - used_s, 0.0)
        return InstanceFigures(
            capacity_bytes=self._cache.capacity_bytes,
            used_bytes=self._cache.used_bytes,
            models=self._cache.copies,
            last_used_s=None if unused_s is None else self._clock.epoch_ms() / 1e3 - unused_s,
            unused_s=unused_s,
        )


def tell_cache(metrics: Metrics, cache: CacheView, clock: Clock) -> None:
    """Have the metrics tell how full this instance is."""
    metrics.watch_instance(CacheFigures(cache, clock).read)
