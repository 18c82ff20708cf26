"""What the relay counts about itself, as metrics."""

from collections.abc import Callable, Mapping
from functools import partial

from adapter.http2.flow import Counts
from adapter.telemetry.exposition import Reading
from adapter.telemetry.metrics import Metrics

_PLAIN: Mapping[str, Callable[[Counts], int]] = {
    "remesh_relay_open_calls": lambda counts: counts.calls_open,
    "remesh_relay_waiting_calls": lambda counts: counts.calls_waiting,
    "remesh_relay_calls_total": lambda counts: counts.calls_begun,
    "remesh_relay_buffered_bytes": lambda counts: counts.buffered_bytes,
    "remesh_relay_received_bytes_total": lambda counts: counts.bytes_in,
    "remesh_relay_sent_bytes_total": lambda counts: counts.bytes_out,
}
_BY_NAME: Mapping[str, Callable[[Counts], Mapping[str, int]]] = {
    "remesh_relay_retries_total": lambda counts: counts.retries,
    "remesh_relay_limit_hits_total": lambda counts: counts.limits_hit,
    "remesh_relay_connection_errors_total": lambda counts: counts.connection_errors,
    "remesh_relay_stream_errors_total": lambda counts: counts.stream_errors,
}


def tell_relay(metrics: Metrics, counts: Counts) -> None:
    """Have the metrics tell these figures; they are read at each scrape."""
    for name, plain in _PLAIN.items():
        metrics.expose(name, partial(_plain, counts, plain))
    for name, named in _BY_NAME.items():
        metrics.expose(name, partial(_by_name, counts, named))
    metrics.expose(
        "remesh_relay_open_connections",
        lambda: [
            (("client",), counts.connections_open),
            (("upstream",), counts.upstream_connections_open),
        ],
    )
    metrics.expose(
        "remesh_relay_connections_total",
        lambda: [
            (("client",), counts.connections_opened),
            (("upstream",), counts.upstream_connections_opened),
        ],
    )


def _plain(counts: Counts, read: Callable[[Counts], int]) -> Reading:
    return [((), read(counts))]


def _by_name(counts: Counts, read: Callable[[Counts], Mapping[str, int]]) -> Reading:
    return [((name,), count) for name, count in read(counts).items()]
