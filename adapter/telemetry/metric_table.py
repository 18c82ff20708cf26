"""Every metric of ours in one table, which `docs/metrics.md` is checked against.

Names, labels, kinds and bounds of `modelmesh_*` are ModelMesh's, so that its dashboards keep working
(reference: ModelMesh core 6.2); what is ours begins with `remesh_`. A label never holds what a user sent,
except ids of models, and those only if `per_model_metrics` asks for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What the figures of a metric mean, in Prometheus' words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric, as it is declared."""

    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    labels_per_model: tuple[str, ...] = ()
    """Those that `per_model_metrics` adds."""
    bounds: tuple[float, ...] = ()
    """Of a histogram: the upper bounds of its buckets, rising; one more bucket has no bound."""


TIMES_MS = (
    *(0.5, 1, 2, 5, 10, 20, 50, 75, 100, 200, 500, 1000),
    *(2000, 5000, 10_000, 20_000, 60_000, 120_000, 300_000),
)
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
AGES_MS = (
    *(30_000, 300_000, 900_000, _HOUR_MS, 4 * _HOUR_MS, 12 * _HOUR_MS),
    *(_DAY_MS, 7 * _DAY_MS, 30 * _DAY_MS, 90 * _DAY_MS),
)
MODEL_BYTES = tuple(262_144 * 4**power for power in range(8))
PAYLOAD_BYTES = tuple(128 * 4**power for power in range(8))

REQUEST_LABELS = ("method", "code")
MODEL_LABELS = ("modelId", "vModelId")


def _of_requests(text: str, bounds: tuple[float, ...]) -> Metric:
    return Metric(
        kind=Kind.HISTOGRAM,
        help=text,
        labels=REQUEST_LABELS,
        labels_per_model=MODEL_LABELS,
        bounds=bounds,
    )


def _of_models(text: str, bounds: tuple[float, ...] = TIMES_MS) -> Metric:
    return Metric(kind=Kind.HISTOGRAM, help=text, labels_per_model=MODEL_LABELS, bounds=bounds)


def _gauge(text: str, *labels: str) -> Metric:
    return Metric(kind=Kind.GAUGE, help=text, labels=labels)


def _counter(text: str, *labels: str) -> Metric:
    return Metric(kind=Kind.COUNTER, help=text, labels=labels)


_REQUESTS = {
    "modelmesh_api_request_milliseconds": _of_requests(
        "Inference calls from outside, from end to end", TIMES_MS
    ),
    "modelmesh_invoke_model_milliseconds": _of_requests("Inference calls to the runtime beside us", TIMES_MS),
    "modelmesh_request_size_bytes": _of_requests("Request messages of calls from outside", PAYLOAD_BYTES),
    "modelmesh_response_size_bytes": _of_requests("Response messages, of calls that have one", PAYLOAD_BYTES),
    "modelmesh_cache_miss_milliseconds": _of_models("How long calls waited for their model to be loaded"),
    "modelmesh_req_queue_delay_milliseconds": _of_models(
        "How long calls waited for a model at its concurrency limit"
    ),
}

_LOADS = {
    "modelmesh_loadmodel_milliseconds": _of_models("Loads that succeeded"),
    "modelmesh_unloadmodel_milliseconds": _of_models("Unloads that succeeded"),
    "modelmesh_loading_queue_delay_milliseconds": _of_models("How long loads waited for their turn"),
    "modelmesh_model_sizing_milliseconds": _of_models("How long it took to measure a loaded model"),
    "modelmesh_age_at_eviction_milliseconds": _of_models(
        "How long evicted models had not been used", AGES_MS
    ),
    "modelmesh_loaded_model_size_bytes": _of_models(
        "Sizes of loaded models in the runtime's memory", MODEL_BYTES
    ),
    "modelmesh_loadmodel_failure": _counter("Loads that failed"),
    "modelmesh_unloadmodel_failure": _counter("Unloads that were given up"),
    "modelmesh_unloadmodel_attempt_failure": _counter("Tries of an unload that failed"),
}

_STATE = {
    "modelmesh_models_loaded_total": _gauge("Models with a copy somewhere; told by the leader"),
    "modelmesh_models_with_failure_total": _gauge("Models whose load failed somewhere; told by the leader"),
    "modelmesh_models_managed_total": _gauge("Registered models; told by the leader"),
    "modelmesh_instance_lru_seconds": _gauge(
        "When the copy that is unused for longest was last used, since the epoch"
    ),
    "modelmesh_instance_lru_age_seconds": _gauge("How long that copy has not been used"),
    "modelmesh_instance_capacity_bytes": _gauge("Room for models in this instance"),
    "modelmesh_instance_used_bytes": _gauge("Room that the models of this instance take"),
    "modelmesh_instance_used_bps": _gauge("The same, in hundredths of a percent of the capacity"),
    "modelmesh_instance_models_total": _gauge("Copies in this instance"),
}

_RELAY = {
    "remesh_relay_open_connections": _gauge("Open connections: of clients, or towards upstreams", "side"),
    "remesh_relay_connections_total": _counter("Connections opened so far, likewise", "side"),
    "remesh_relay_open_calls": _gauge("Calls that have not ended yet"),
    "remesh_relay_waiting_calls": _gauge("Calls that wait for a verdict or a load"),
    "remesh_relay_calls_total": _counter("Calls begun so far, management and the like included"),
    "remesh_relay_buffered_bytes": _gauge("Bytes that the relay keeps for all calls together"),
    "remesh_relay_received_bytes_total": _counter("Bytes received, from clients and upstreams"),
    "remesh_relay_sent_bytes_total": _counter("Bytes sent, to clients and upstreams"),
    "remesh_relay_retries_total": _counter("Calls that were sent again", "cause"),
    "remesh_relay_connection_errors_total": _counter("Connections ended by a peer's error in HTTP/2", "code"),
    "remesh_relay_stream_errors_total": _counter("Streams ended by a peer's error in HTTP/2", "code"),
    "remesh_relay_limit_hits_total": _counter("How often a limit was reached", "limit"),
}

_MESH = {
    "remesh_cache_requests_total": _counter("Requests by whether their model was loaded here", "outcome"),
    "remesh_load_seconds_total": _counter(
        "Seconds that requests' loads took: here, and as plain LRU would have had it (estimated)", "policy"
    ),
    "remesh_cache_loads_waiting": _gauge("Loads that are queued or under way in this instance"),
    "remesh_instances": _gauge("Instances of the mesh, as this one sees them", "state"),
    "remesh_held_calls": _gauge("Calls that are held until an instance comes that may serve them"),
    "remesh_registry_writes_total": _counter("Keys written to the registry by this instance"),
    "remesh_registry_transactions_total": _counter("Transactions that carried them"),
    "remesh_registry_confirmed": _gauge(
        "1 while the registry is known to have all that this instance tells of itself, else 0"
    ),
    "remesh_leases_lost_total": _counter("How often this instance's lease ended before it did"),
    "remesh_shadow_calls_total": _counter("Calls copied to the shadow of an alias", "outcome"),
}

_OTHERS = {
    "remesh_payloads_total": _counter(
        "Payloads for processors: sent, failed or dropped", "processor", "outcome"
    ),
}

METRICS: Mapping[str, Metric] = {**_REQUESTS, **_LOADS, **_STATE, **_RELAY, **_MESH, **_OTHERS}
"""By name."""
