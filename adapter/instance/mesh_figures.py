"""How this instance does as one of a mesh, as metrics."""

from adapter.instance.parts import Parts
from adapter.registry.etcd import EtcdRegistry
from adapter.telemetry.exposition import Reading
from adapter.telemetry.metrics import Metrics


def tell_registry(metrics: Metrics, registry: EtcdRegistry) -> None:
    """Have the metrics tell what is written to the registry."""
    metrics.expose("remesh_registry_writes_total", lambda: [((), registry.writes)])
    metrics.expose("remesh_registry_transactions_total", lambda: [((), registry.transactions)])


def tell_mesh(parts: Parts) -> None:
    """Have the metrics tell of the cache's success and of the other instances."""
    cache, shadows, metrics = parts.cache, parts.path.shadows, parts.metrics

    def requests() -> Reading:
        return [(("hit",), cache.hits), (("miss",), cache.misses)]

    def seconds() -> Reading:
        figures = cache.shadow
        return [(("own",), figures.spent_s), (("lru",), figures.lru_spent_s)]

    def instances() -> Reading:
        draining = sum(each.record.draining for each in parts.state.view.instances.values())
        silent = len(parts.links.silent())
        there = len(parts.state.view.instances) - draining
        return [(("there",), there), (("draining",), draining), (("silent",), silent)]

    metrics.expose("remesh_cache_requests_total", requests)
    metrics.expose("remesh_load_seconds_total", seconds)
    metrics.expose("remesh_cache_loads_waiting", lambda: [((), cache.loading)])
    metrics.expose("remesh_instances", instances)
    metrics.expose("remesh_held_calls", lambda: [((), parts.holding.held)])
    metrics.expose("remesh_registry_confirmed", lambda: [((), int(parts.presence.is_confirmed))])
    metrics.expose("remesh_leases_lost_total", lambda: [((), parts.presence.lost)])
    metrics.expose(
        "remesh_shadow_calls_total",
        lambda: [(("sent",), shadows.sent), (("dropped",), shadows.dropped)],
    )
