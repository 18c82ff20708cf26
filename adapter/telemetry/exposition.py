"""From instruments to Prometheus' text, through prometheus_client's collectors, a piece at a time.

The event loop that answers a scrape is the one that relays calls, so no step of it may be long: a large
family comes in parts, each a `Metric` of the same name, and the text in pieces between which the loop turns.
"""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from adapter.telemetry.histograms import Histogram, LabelledHistogram
from adapter.telemetry.metric_table import Kind

PART_SERIES_MAX = 8
"""Histograms in one part of a family: some 180 lines, about half a millisecond."""

PIECE_BYTES = 16_384
"""A piece of the text is at least so long, but for the last, and at most this and one part more."""

Reading = Iterable[tuple[tuple[str, ...], float]]
"""Values of the labels, and the figure; for each series."""


class HistogramCollector(Collector):
    """The series of one histogram."""

    def __init__(self, histogram: LabelledHistogram) -> None:
        self._histogram = histogram
        self._bounds = [*map(java_double, histogram.metric.bounds), "+Inf"]

    def describe(self) -> Iterable[Family]:
        return [self._family()]

    def collect(self) -> Iterator[Family]:
        part, series = self._family(), 0
        for values, histogram in self._histogram:
            if series == PART_SERIES_MAX:
                yield part
                part, series = self._family(), 0
            self._add(part, dict(zip(self._histogram.labels, values, strict=True)), histogram)
            series += 1
        yield part

    def _family(self) -> Family:
        return Family(self._histogram.name, self._histogram.metric.help, "histogram")

    def _add(self, part: Family, labels: dict[str, str], histogram: Histogram) -> None:
        name, so_far = self._histogram.name, 0
        for bound, count in zip(self._bounds, histogram.counts, strict=True):
            so_far += count
            part.add_sample(f"{name}_bucket", {**labels, "le": bound}, so_far)
        part.add_sample(f"{name}_count", labels, so_far)
        part.add_sample(f"{name}_sum", labels, histogram.total)


class ReadingCollector(Collector):
    """Figures that somebody else keeps, read when they are asked for."""

    def __init__(
        self, name: str, text: str, kind: Kind, labels: tuple[str, ...], read: Callable[[], Reading]
    ) -> None:
        assert kind is not Kind.HISTOGRAM
        self._name, self._text, self._kind, self._labels, self._read = name, text, kind, labels, read

    def describe(self) -> Iterable[Family]:
        return [self._family()]

    def collect(self) -> Iterator[Family]:
        family = self._family()
        for values, figure in self._read():
            family.add_metric(values, figure)
        yield family
        if self._kind is Kind.COUNTER and not self._name.endswith("_total"):
            yield self._bare(family)

    def _family(self) -> CounterMetricFamily | GaugeMetricFamily:
        family = CounterMetricFamily if self._kind is Kind.COUNTER else GaugeMetricFamily
        return family(self._name, self._text, labels=self._labels)

    def _bare(self, counter: Family) -> Family:
        """The same under the bare name of a ModelMesh counter; prometheus_client adds `_total` to each."""
        bare = Family(self._name, f"{self._text} (ModelMesh's name of {self._name}_total)", "unknown")
        for sample in counter.samples:
            bare.add_sample(self._name, sample.labels, sample.value)
        return bare


def pieces(families: Iterable[Family]) -> Iterator[bytes]:
    """The text of these families; parts of one follow each other and are told as one."""
    piece, before = bytearray(), ("", "")
    for family in families:
        if not family.samples:
            continue
        text = generate_latest(_Single(family))
        this = (family.name, family.type)
        piece += text.split(b"\n", 2)[2] if this == before else text  # without HELP and TYPE again
        before = this
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def java_double(bound: float) -> str:
    """A bound as ModelMesh writes it (`2000.0`, `6.7108864E7`), so that a series stays the same series."""
    text = repr(float(bound))
    if bound < 10**7:
        return text
    digits = text.removesuffix(".0")
    return f"{digits[0]}.{digits[1:].rstrip('0') or '0'}E{len(digits) - 1}"


class _Single(Collector):
    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> Iterable[Family]:
        return [self._family]
