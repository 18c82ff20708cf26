"""The controller's own metrics: what it looks at, how often that fails, how much waits."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from adapter.telemetry.exposition import Reading, ReadingCollector, pieces
from adapter.telemetry.metric_table import Kind

FIGURES: Final[dict[str, tuple[Kind, str]]] = {
    "remesh_controller_leading": (Kind.GAUGE, "1 in the controller that acts, 0 in those that stand by"),
    "remesh_controller_looks_total": (Kind.COUNTER, "How often an object was looked at"),
    "remesh_controller_failures_total": (Kind.COUNTER, "How often that failed, and is tried again"),
    "remesh_controller_queue_length": (Kind.GAUGE, "Objects that are to be looked at now"),
    "remesh_controller_models": (Kind.GAUGE, "InferenceServices and Predictors that are known"),
    "remesh_controller_events_dropped_total": (Kind.COUNTER, "Events that were too many to be written"),
}


class ControllerMetrics:
    """The text that Prometheus is told."""

    def __init__(self, read: Callable[[str], float]) -> None:
        """`read` gives the figure of this name, at each scrape."""
        self._registry = CollectorRegistry()
        for standard in (GCCollector, PlatformCollector, ProcessCollector):
            standard(registry=self._registry)
        for name, (kind, text) in FIGURES.items():
            self._registry.register(ReadingCollector(name, text, kind, (), partial(_reading, read, name)))

    def render(self, names: frozenset[str]) -> Iterator[bytes]:
        """The text of the metrics with these names, or of all, in pieces."""
        registry = self._registry.restricted_registry(names) if names else self._registry
        return pieces(registry.collect())


def _reading(read: Callable[[str], float], name: str) -> Reading:
    return [((), read(name))]
