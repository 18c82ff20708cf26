"""What a running instance tells Prometheus, and those who read along."""

import asyncio
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.peers.mesh_client import MeshClient, MeshRefused
from adapter.stubs.inference import open_inference_pb2 as v2
from tests.fakes.model_runtime_server import ExampleRuntime
from tests.integration import mesh
from tests.integration.mesh import Instance, an_instance

LOAD_MS = 50
SIZE = 300_000_000
SIZED = f"SIZE_{SIZE}_{LOAD_MS}_5"
WAIT_S_MAX = 20.0


@dataclass(frozen=True, kw_only=True)
class Scraped:
    """One scrape."""

    samples: Sequence[Sample]

    def value(self, name: str, **labels: str) -> float | None:
        """The first sample of this name that has these labels; None: there is none."""
        found = (s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items())
        return next(found, None)

    def histogram(self, name: str, **labels: str) -> tuple[float, float]:
        """Of a histogram, how many values there were and their sum."""
        count, total = self.value(f"{name}_count", **labels), self.value(f"{name}_sum", **labels)
        assert count is not None, f"{name} with {labels} is not told"
        assert total is not None
        return count, total


@dataclass(frozen=True, kw_only=True)
class Measured:
    """An instance whose metrics can be read."""

    up: Instance
    client: MeshClient
    port: int

    async def scrape(self) -> Scraped:
        def get() -> str:
            url = f"http://127.0.0.1:{self.port}/metrics"
            with urllib.request.urlopen(url, timeout=WAIT_S_MAX) as answer:
                return str(answer.read().decode())

        families = text_string_to_metric_families(await asyncio.to_thread(get))
        return Scraped(samples=[sample for family in families for sample in family.samples])

    async def register(self, name: str, *, path: str = SIZED) -> ModelId:
        await self.client.register(ModelId(name), ModelInfo(type="rt:x", path=path))
        return ModelId(name)

    async def ask(self, name: str) -> None:
        await self.client.infer(v2.ModelInferRequest(model_name=name))


@asynccontextmanager
async def measured(
    folder: Path, env: Mapping[str, Any] | None = None, *, per_model: bool = True
) -> AsyncIterator[Measured]:
    port = mesh.free_port()
    told = f"prometheus:port={port};scheme=http;per_model_metrics={str(per_model).lower()}"
    async with (
        an_instance(folder, ExampleRuntime(), MM_METRICS=told, **(env or {})) as up,
        up.client() as client,
    ):
        yield Measured(up=up, client=client, port=port)


async def test_cold_and_warm_calls_are_told(tmp_path: Path) -> None:
    async with measured(tmp_path) as it:
        iris = await it.register("iris")
        for _ in range(3):
            await it.ask(iris)
        now = await it.scrape()
    call = {"method": "ModelInfer", "code": "OK", "modelId": "iris"}
    calls, calls_ms = now.histogram("modelmesh_api_request_milliseconds", **call)
    assert (calls, now.histogram("modelmesh_invoke_model_milliseconds", **call)[0]) == (3, 3)
    assert now.histogram("modelmesh_request_size_bytes", **call)[0] == 3
    misses, missed_ms = now.histogram("modelmesh_cache_miss_milliseconds", modelId="iris")
    loads, load_ms = now.histogram("modelmesh_loadmodel_milliseconds", modelId="iris")
    assert (misses, loads) == (1, 1)
    assert LOAD_MS <= load_ms <= missed_ms <= calls_ms
    assert now.histogram("modelmesh_loading_queue_delay_milliseconds", modelId="iris")[0] == 1
    assert now.histogram("modelmesh_loaded_model_size_bytes", modelId="iris") == (1, SIZE)
    assert now.histogram("modelmesh_model_sizing_milliseconds", modelId="iris")[0] == 1


async def test_the_instance_tells_how_full_it_is(tmp_path: Path) -> None:
    async with measured(tmp_path) as it:
        empty = await it.scrape()
        assert empty.value("modelmesh_instance_models_total") == 0
        assert empty.value("modelmesh_instance_lru_age_seconds") is None
        iris = await it.register("iris")
        await it.ask(iris)
        async with asyncio.timeout(WAIT_S_MAX):
            while (now := await it.scrape()).value("modelmesh_instance_used_bytes") != SIZE:
                pass  # until it is measured
    assert now.value("modelmesh_instance_models_total") == 1
    capacity = now.value("modelmesh_instance_capacity_bytes")
    assert capacity is not None
    assert now.value("modelmesh_instance_used_bps") == pytest.approx(10_000 * SIZE / capacity)
    assert 0 <= (now.value("modelmesh_instance_lru_age_seconds") or 0) < WAIT_S_MAX


async def test_evictions_and_failures_are_told(tmp_path: Path) -> None:
    async with measured(tmp_path) as it:
        for number in range(4):  # there is room for three
            await it.ask(await it.register(f"m{number}"))
        with pytest.raises(MeshRefused):
            await it.ask(await it.register("broken", path="FAIL_on purpose"))
        async with asyncio.timeout(WAIT_S_MAX):
            while (now := await it.scrape()).value("modelmesh_unloadmodel_milliseconds_count") is None:
                pass
    assert now.histogram("modelmesh_age_at_eviction_milliseconds")[0] == 1
    assert now.value("modelmesh_loadmodel_failure") == now.value("modelmesh_loadmodel_failure_total") == 1


async def test_what_is_unregistered_is_not_told_any_more(tmp_path: Path) -> None:
    async with measured(tmp_path) as it:
        iris = await it.register("iris")
        await it.ask(iris)
        await it.client.unregister(iris)
        async with asyncio.timeout(WAIT_S_MAX):
            while (now := await it.scrape()).value("modelmesh_instance_models_total"):
                pass
    assert "iris" not in {sample.labels.get("modelId") for sample in now.samples}


async def test_the_relay_tells_of_itself(tmp_path: Path) -> None:
    async with measured(tmp_path) as it:
        await it.ask(await it.register("iris"))
        with pytest.raises(MeshRefused):
            await it.ask("nobody")
        now = await it.scrape()
    assert now.value("remesh_relay_open_connections", side="client") == 1
    assert now.value("remesh_relay_open_connections", side="upstream") == 2, "the runtime, and our own door"
    assert (now.value("remesh_relay_calls_total") or 0) >= 3
    assert (now.value("remesh_relay_open_calls"), now.value("remesh_relay_buffered_bytes")) == (0, 0)
    assert (now.value("remesh_relay_received_bytes_total") or 0) > 100
    assert (now.value("remesh_relay_sent_bytes_total") or 0) > 100


async def test_without_models_as_labels_there_are_no_names(tmp_path: Path) -> None:
    async with measured(tmp_path, per_model=False) as it:
        await it.ask(await it.register("iris"))
        now = await it.scrape()
    assert now.histogram("modelmesh_api_request_milliseconds", method="ModelInfer", code="OK")[0] == 1
    assert not any("modelId" in sample.labels for sample in now.samples)


async def test_an_instance_says_what_it_is(tmp_path: Path) -> None:
    env = {"MM_INFO_METRICS": "deployment_info;deployment=DEPLOYMENT", "DEPLOYMENT": "mlserver-1.x"}
    async with measured(tmp_path, env) as it:
        now = await it.scrape()
    assert now.value("deployment_info", deployment="mlserver-1.x") == 1


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        pytest.param("info;x=NONE_SUCH", "NONE_SUCH of label x is not set", id="no such variable"),
        pytest.param("remesh_relay_calls_total;x=PATH", "is the name of another metric", id="a name of ours"),
    ],
)
async def test_what_it_cannot_say_keeps_it_from_starting(tmp_path: Path, told: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=f"MM_INFO_METRICS: .*{complaint}"):
        async with measured(tmp_path, {"MM_INFO_METRICS": told}):
            pytest.fail("it started")


async def test_payloads_are_shown_and_counted(tmp_path: Path) -> None:
    async with measured(tmp_path, {"MM_PAYLOAD_PROCESSORS": "logger://*"}) as it:
        await it.ask(await it.register("iris"))
        async with asyncio.timeout(WAIT_S_MAX):
            while (now := await it.scrape()).value("remesh_payloads_total", outcome="sent") != 2:
                pass
    assert now.value("remesh_payloads_total", processor="logger", outcome="dropped") == 0
