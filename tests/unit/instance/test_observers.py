import asyncio
import logging
from dataclasses import dataclass

import pytest

from adapter.domain.errors import Code
from adapter.servers.payload_messages import Payload
from adapter.servers.payload_processors import Outlet
from adapter.servers.payload_uris import PayloadFilter
from adapter.telemetry.request_metrics import RequestMetrics
from tests.unit.instance.meshed import INFER, AnInstance, Given, one_instance


@dataclass(frozen=True)
class Told:
    """A series of a histogram."""

    labels: tuple[str, ...]
    count: int
    total: float


def told(metrics: RequestMetrics, name: str) -> list[Told]:
    """What one histogram holds."""
    (histogram,) = (each for each in metrics.histograms if each.name == name)
    return [Told(values, sum(each.counts), each.total) for values, each in histogram if any(each.counts)]


class KeptSink:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.payloads: list[Payload] = []

    async def send(self, payload: Payload) -> None:
        self.payloads.append(payload)

    def close(self) -> None:
        """There is nothing to close."""


async def test_a_call_is_measured_from_outside_and_inside(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.disk.pull_s = 2.0
    assert (await instance.infer()).code is Code.OK
    metrics = instance.metrics.requests
    labels = ("ModelInfer", "OK", "iris", "")
    outside, inside = (
        told(metrics, f"modelmesh_{name}_milliseconds") for name in ("api_request", "invoke_model")
    )
    assert [each.labels for each in (*outside, *inside)] == [labels, labels]
    assert (outside[0].total, inside[0].total) == pytest.approx((2000, 0), abs=1)
    (miss,) = told(metrics, "modelmesh_cache_miss_milliseconds")
    assert miss.labels == ("iris", "")
    assert miss.total == pytest.approx(2000, abs=1)
    (request,), (response,) = (
        told(metrics, f"modelmesh_{name}_size_bytes") for name in ("request", "response")
    )
    assert request.total == response.total > 5


async def test_an_error_has_its_code_and_no_size_of_an_answer(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.inference.failures = [(Code.INTERNAL, "no")]
    await instance.infer()
    (outside,) = told(instance.metrics.requests, "modelmesh_api_request_milliseconds")
    assert outside.labels[1] == "INTERNAL"
    assert not told(instance.metrics.requests, "modelmesh_response_size_bytes")


async def test_an_alias_is_told_beside_its_model(instance: AnInstance) -> None:
    await instance.registered("iris")
    await instance.aliased("newest", "iris")
    await instance.ask(metadata=[("mm-vmodel-id", "newest")], method=INFER)
    (outside,) = told(instance.metrics.requests, "modelmesh_api_request_milliseconds")
    assert outside.labels[2:] == ("iris", "newest")


async def test_a_call_for_several_is_one_from_outside(instance: AnInstance) -> None:
    for name in ("iris", "mnist"):
        await instance.registered(name)
    await instance.ask(metadata=[("mm-model-id", "iris"), ("mm-model-id", "mnist")])
    inside = told(instance.metrics.requests, "modelmesh_invoke_model_milliseconds")
    assert sum(each.count for each in inside) == 2


@pytest.mark.parametrize("name", ["nobody", ""], ids=["an unknown model", "none"])
async def test_a_call_for_no_model_of_ours_is_not_measured(instance: AnInstance, name: str) -> None:
    await instance.infer(name)
    assert not any(
        told(instance.metrics.requests, each.name) for each in instance.metrics.requests.histograms
    )


async def test_payload_processors_are_shown_the_messages() -> None:
    sink = KeptSink()
    outlet = Outlet("kept", PayloadFilter(model="iris"), sink, capacity=8)
    async with one_instance(Given(outlets=[outlet])) as instance:
        await instance.registered("iris")
        await instance.ask(b"hello", metadata=[("mm-model-id", "iris"), ("user", "me")])
        instance.inference.failures = [(Code.INTERNAL, "no")]
        await instance.ask(b"again")
        await asyncio.sleep(1)
    request, response, *others = sink.payloads
    assert (request.kind, request.data, request.model_id) == ("request", b"hello", "iris")
    assert ("user", "me") in request.metadata
    assert (response.kind, response.data, response.status) == ("response", b"hello", "OK")
    assert request.id == response.id
    assert [(each.data, each.status) for each in others] == [(b"again", ""), (b"", "INTERNAL")]
    assert others[0].id != request.id


async def test_a_processor_is_shown_only_what_it_asks_for() -> None:
    sink = KeptSink()
    outlet = Outlet("kept", PayloadFilter(model="mnist"), sink, capacity=8)
    async with one_instance(Given(outlets=[outlet])) as instance:
        await instance.registered("iris")
        await instance.ask(b"hello")
        await asyncio.sleep(1)
    assert not sink.payloads


async def test_each_call_has_a_line_if_that_is_wanted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    settings = {"log_each_invoke": True, "log_request_headers": '{"x-request-id": "request_id"}'}
    async with one_instance(Given(settings=settings)) as instance:
        await instance.registered("iris")
        await instance.ask(metadata=[("mm-model-id", "iris"), ("x-request-id", "abc")])
    (line,) = (each for each in caplog.records if each.message == "invoking model runtime")
    said = vars(line)
    assert (said["model"], said["method"], said["request_id"]) == ("iris", "any.Service/Method", "abc")


async def test_a_call_for_several_models_is_one_from_outside_and_one_for_each_inside(
    instance: AnInstance,
) -> None:
    for name in ("iris", "mnist"):
        await instance.registered(name)
    answer = await instance.ask(b"x", metadata=[("mm-model-id", "iris"), ("mm-model-id", "mnist")])
    assert answer.code is Code.OK
    metrics = instance.metrics.requests
    outside = told(metrics, "modelmesh_api_request_milliseconds")
    inside = told(metrics, "modelmesh_invoke_model_milliseconds")
    assert [(each.labels[2:], each.count) for each in outside] == [(("", ""), 1)]
    assert sorted(each.labels[2] for each in inside) == ["iris", "mnist"]
