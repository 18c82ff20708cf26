"""The metrics of one process: instruments to write to, figures that others keep, and the text of it all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Literal, TypeVar

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.registry import DuplicateTimeseries

from adapter.telemetry.exposition import HistogramCollector, Reading, ReadingCollector, pieces
from adapter.telemetry.metric_table import METRICS, Kind
from adapter.telemetry.metrics_options import BadMetricsOptions, InfoMetric
from adapter.telemetry.model_metrics import ModelMetrics
from adapter.telemetry.request_metrics import RequestMetrics

T = TypeVar("T")

SUFFIXES = ("", "_bucket", "_count", "_sum", "_total")
"""Of the samples that belong to a metric's name."""

_DECLARED = frozenset(name.removesuffix("_total") + suffix for name in METRICS for suffix in SUFFIXES)
"""Taken, though some are told only later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFigures:
    """How full this instance is."""

    capacity_bytes: int
    used_bytes: int
    models: int
    last_used_s: float | None = None
    """When the copy that is unused for longest was last used, since the epoch; None: there is no copy."""
    unused_s: float | None = None
    """How long ago that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshFigures:
    """What only the leader tells, so that it is told once."""

    managed: int
    loaded: int
    failed: int


class Metrics:
    """Everything that is measured, and what Prometheus is told of it."""

    def __init__(
        self,
        *,
        per_model: bool = False,
        fq_names: bool = False,
        known_methods: frozenset[str] = frozenset(),
        info: InfoMetric | None = None,
    ) -> None:
        """Raises `BadMetricsOptions` if `info` has the name of another metric."""
        self.requests = RequestMetrics(per_model=per_model, fq_names=fq_names, known_methods=known_methods)
        self.models = ModelMetrics(per_model=per_model)
        self._registry = CollectorRegistry(auto_describe=True)
        for histogram in (*self.requests.histograms, *self.models.histograms):
            self._registry.register(HistogramCollector(histogram))
        for name in self.models.failures:
            self._tell(name, itemgetter(name), lambda: self.models.failures)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        if info is not None:
            self._register_info(info)

    def expose(self, name: str, read: Callable[[], Reading]) -> None:
        """Tell a figure that the table declares; `read` is asked at each scrape, on the event loop."""
        metric = METRICS[name]
        self._registry.register(ReadingCollector(name, metric.help, metric.kind, metric.labels, read))

    def register(
        self,
        name: str,
        help: str,  # noqa: A002 - Prometheus' word
        kind: Literal["counter", "gauge"],
        labels: tuple[str, ...],
        read: Callable[[], Reading],
    ) -> None:
        """Tell a figure that is not declared in the table; `ValueError` if the name is taken."""
        self._registry.register(ReadingCollector(name, help, Kind(kind), labels, read))

    def watch_instance(self, read: Callable[[], InstanceFigures]) -> None:
        """Tell how full this instance is."""
        parts: dict[str, Callable[[InstanceFigures], float | None]] = {
            "modelmesh_instance_lru_seconds": lambda now: now.last_used_s,
            "modelmesh_instance_lru_age_seconds": lambda now: now.unused_s,
            "modelmesh_instance_capacity_bytes": lambda now: now.capacity_bytes,
            "modelmesh_instance_used_bytes": lambda now: now.used_bytes,
            "modelmesh_instance_used_bps": _used_bps,
            "modelmesh_instance_models_total": lambda now: now.models,
        }
        for name, part in parts.items():
            self._tell(name, part, read)

    def watch_mesh(self, read: Callable[[], MeshFigures | None]) -> None:
        """Tell of the whole mesh, whenever this instance is the leader; None: it is not."""
        parts: dict[str, Callable[[MeshFigures], float]] = {
            "modelmesh_models_managed_total": lambda now: now.managed,
            "modelmesh_models_loaded_total": lambda now: now.loaded,
            "modelmesh_models_with_failure_total": lambda now: now.failed,
        }
        for name, part in parts.items():
            self._tell(name, part, read)

    def forget(self, model: str) -> None:
        """Drop all that is told of this model alone: it is registered no more."""
        self.requests.forget(model)
        self.models.forget(model)

    def render(self, names: frozenset[str] = frozenset()) -> Iterator[bytes]:
        """The text, in pieces; of these metrics or samples alone, if there are any names."""
        if not names:
            return pieces(self._registry.collect())
        samples = {name + suffix for name in names for suffix in SUFFIXES}
        return pieces(self._registry.restricted_registry(samples).collect())

    def _tell(self, name: str, part: Callable[[T], float | None], read: Callable[[], T | None]) -> None:
        """Tell one part of what is read, if there is any."""

        def reading() -> Reading:
            now = read()
            figure = None if now is None else part(now)
            return () if figure is None else [((), figure)]

        self.expose(name, reading)

    def _register_info(self, info: InfoMetric) -> None:
        names, values = zip(*info.labels, strict=True) if info.labels else ((), ())
        complaint = BadMetricsOptions(f"MM_INFO_METRICS: {info.name} is the name of another metric")
        if info.name in _DECLARED:
            raise complaint
        try:
            self.register(info.name, "About this instance", "gauge", names, lambda: [(values, 1)])
        except DuplicateTimeseries as error:
            raise complaint from error


def _used_bps(now: InstanceFigures) -> float:
    return 10_000 * now.used_bytes / now.capacity_bytes if now.capacity_bytes else 0.0
