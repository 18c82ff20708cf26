from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapter.domain.ids import InstanceId
from adapter.instance.mesh_figures import tell_mesh, tell_registry
from adapter.registry.etcd import EtcdRegistry
from adapter.telemetry.metrics import Metrics
from tests.unit.instance.meshed import AMesh, AnInstance

MESHS = frozenset(
    {
        "remesh_cache_requests_total",
        "remesh_load_seconds_total",
        "remesh_cache_loads_waiting",
        "remesh_instances",
        "remesh_registry_confirmed",
        "remesh_leases_lost_total",
        "remesh_shadow_calls_total",
    }
)


def told(metrics: Metrics, names: frozenset[str] = MESHS) -> Mapping[str, Mapping[str, float]]:
    """What a scrape says: by name, and by the one label or none."""
    text = b"".join(metrics.render(names)).decode()
    return {
        sample.name: {"".join(each.labels.values()): each.value for each in family.samples}
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_every_figure_is_told_from_the_start(instance: AnInstance) -> None:
    tell_mesh(instance.parts)
    assert told(instance.metrics) == {
        "remesh_cache_requests_total": {"hit": 0.0, "miss": 0.0},
        "remesh_load_seconds_total": {"own": 0.0, "lru": 0.0},
        "remesh_cache_loads_waiting": {"": 0.0},
        "remesh_instances": {"there": 1.0, "draining": 0.0, "silent": 0.0},
        "remesh_registry_confirmed": {"": 1.0},
        "remesh_leases_lost_total": {"": 0.0},
        "remesh_shadow_calls_total": {"sent": 0.0, "dropped": 0.0},
    }


async def test_requests_are_told_by_whether_their_model_was_there(instance: AnInstance) -> None:
    tell_mesh(instance.parts)
    await instance.registered("iris")
    instance.disk.pull_s = 4.0
    await instance.infer()
    hits = told(instance.metrics)["remesh_cache_requests_total"]["hit"]
    for _ in range(3):
        await instance.infer()
    figures = told(instance.metrics)
    assert figures["remesh_cache_requests_total"] == {"hit": hits + 3, "miss": 1.0}
    assert figures["remesh_load_seconds_total"] == pytest.approx({"own": 4.0, "lru": 4.0})


async def test_instances_are_told_by_what_they_do(mesh: AMesh) -> None:
    parts = mesh["a"].parts
    tell_mesh(parts)
    view, b = parts.state.view, InstanceId("b")
    view.put_instance(b, replace(view.instances[b].record, draining=True))
    silent = parts.links.upstream(InstanceId("c"))
    assert silent is not None
    silent.is_down = True
    assert told(parts.metrics)["remesh_instances"] == {"there": 2.0, "draining": 1.0, "silent": 1.0}


async def test_what_is_copied_to_shadows_and_what_is_lost_is_told(instance: AnInstance) -> None:
    parts = instance.parts
    tell_mesh(parts)
    parts.path.shadows.sent, parts.path.shadows.dropped, parts.presence.lost = 3, 2, 1
    figures = told(parts.metrics)
    assert figures["remesh_shadow_calls_total"] == {"sent": 3.0, "dropped": 2.0}
    assert figures["remesh_leases_lost_total"] == {"": 1.0}


@dataclass
class Written:
    """What an etcd was told."""

    writes: int
    transactions: int


def test_what_is_written_to_the_registry_is_told() -> None:
    metrics, names = Metrics(), ("remesh_registry_writes_total", "remesh_registry_transactions_total")
    tell_registry(metrics, cast("EtcdRegistry", Written(writes=7, transactions=2)))
    assert told(metrics, frozenset(names)) == {names[0]: {"": 7.0}, names[1]: {"": 2.0}}
