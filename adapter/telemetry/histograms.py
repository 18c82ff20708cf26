"""Histograms that cost next to nothing: a look-up, a bisection, two additions. Read when somebody scrapes.

They are for one event loop: what writes and what reads take turns, so there is no lock.
"""

from bisect import bisect_left
from collections.abc import Iterator

from adapter.telemetry.metric_table import METRICS, Metric

SERIES_MAX = 10_000
"""Series of one histogram that name a model of their own; all further models share `other`."""

OTHER = "other"


class Histogram:
    """How often a value fell into each bucket, and the sum of all values."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """For each bucket the values in it alone; the last one is of those above every bound."""
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


class LabelledHistogram:
    """One metric's histograms by the values of their labels; bounded, however many models there are."""

    def __init__(self, name: str, *, per_model: bool) -> None:
        """Of the metric that is declared under this name."""
        self.name = name
        self.metric: Metric = METRICS[name]
        self.labels = self.metric.labels + (self.metric.labels_per_model if per_model else ())
        self._by_model: dict[str, dict[tuple[str, ...], Histogram]] = {}
        self._named = 0
        if not self.labels:
            self.at(())  # it is told from the start, as 0

    def at(self, values: tuple[str, ...], model: str = "") -> Histogram:
        """The histogram of these values. They end with the ids of `model`, unless it is empty."""
        series = self._by_model.get(model)
        if series is not None and values in series:
            return series[values]
        if model and model != OTHER:
            if self._named >= SERIES_MAX:
                return self.at((*values[:-2], OTHER, OTHER), OTHER)
            self._named += 1
        histogram = Histogram(self.metric.bounds)
        self._by_model.setdefault(model, {})[values] = histogram
        return histogram

    def forget(self, model: str) -> None:
        """Drop a model's histograms, if there are any: it is registered no more."""
        if model and model != OTHER:
            self._named -= len(self._by_model.pop(model, ()))

    def __iter__(self) -> Iterator[tuple[tuple[str, ...], Histogram]]:
        """All that has something to tell. What comes or goes meanwhile is told or not."""
        for series in list(self._by_model.values()):
            for values, histogram in list(series.items()):
                if not values or any(histogram.counts):
                    yield values, histogram
