import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapter.aio.clock import LoopClock
from adapter.aio.groups import cancelled_at_the_end
from adapter.cluster.cluster import ClusterRefused
from adapter.cluster.event_recorder import (
    BURST,
    NORMAL,
    REFILL_S,
    REMEMBERED_MAX,
    REPEAT_S,
    TEXT_BYTES_MAX,
    WAITING_MAX,
    WARNING,
    EventRecorder,
)
from adapter.domain.kinds import CLUSTER_SERVING_RUNTIME, EVENT, PREDICTOR, Key, Manifest
from tests.fakes.memory_cluster import MemoryCluster


@pytest.fixture
def cluster() -> MemoryCluster:
    return MemoryCluster()


@pytest.fixture
async def recorder(cluster: MemoryCluster) -> AsyncIterator[EventRecorder]:
    """It writes what it is told."""
    recorder = EventRecorder(cluster, LoopClock(), component="remesh-controller", instance="pod-1")
    async with cancelled_at_the_end() as group:
        group.create_task(recorder.run())
        yield recorder


def predictor(cluster: MemoryCluster, name: str = "iris") -> Manifest:
    return cluster.put({"metadata": {"name": name, "namespace": "default"}}, PREDICTOR)


async def written(cluster: MemoryCluster) -> list[dict[str, Any]]:
    """The events, once all is written."""
    await asyncio.sleep(1)
    return cluster.all(EVENT)


async def test_an_event_is_about_an_object(cluster: MemoryCluster, recorder: EventRecorder) -> None:
    about = predictor(cluster)
    recorder.record(about, WARNING, "InvalidPredictorSpec", "spec.model: missing")
    (event,) = await written(cluster)
    assert event["involvedObject"] == {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "Predictor",
        "name": "iris",
        "namespace": "default",
        "uid": about["metadata"]["uid"],
        "resourceVersion": about["metadata"]["resourceVersion"],
    }
    assert event["metadata"]["namespace"] == "default"
    assert event["metadata"]["name"].startswith("iris.")
    told = ("Warning", "InvalidPredictorSpec", "spec.model: missing")
    assert (event["type"], event["reason"], event["message"]) == told
    assert event["source"] == {"component": "remesh-controller", "host": "pod-1"}
    assert event["count"] == 1
    assert event["firstTimestamp"] == event["lastTimestamp"]


async def test_of_what_is_in_no_namespace_it_is_in_the_default_one(
    cluster: MemoryCluster, recorder: EventRecorder
) -> None:
    about = cluster.put({"metadata": {"name": "triton"}}, CLUSTER_SERVING_RUNTIME)
    recorder.record(about, NORMAL, "Started", "it runs")
    (event,) = await written(cluster)
    assert event["metadata"]["namespace"] == "default"
    assert "namespace" not in event["involvedObject"]


async def test_the_same_again_is_counted(cluster: MemoryCluster, recorder: EventRecorder) -> None:
    about = predictor(cluster)
    for _ in range(7):
        recorder.record(about, WARNING, "Failed", "it failed")
        await asyncio.sleep(REPEAT_S / 3 + 1)
    (event,) = await written(cluster)
    assert event["count"] == 7
    verbs = [verb for verb, key in cluster.writes if key.kind == EVENT]
    assert verbs == ["create", "patch", "patch"]


async def test_an_event_that_the_cluster_forgot_is_made_anew(
    cluster: MemoryCluster, recorder: EventRecorder
) -> None:
    about = predictor(cluster)
    recorder.record(about, WARNING, "Failed", "it failed")
    (event,) = await written(cluster)
    cluster.drop(Key(kind=EVENT, name=event["metadata"]["name"], namespace="default"))
    await asyncio.sleep(REPEAT_S)
    recorder.record(about, WARNING, "Failed", "it failed")
    (event,) = await written(cluster)
    assert event["count"] == 2


async def test_one_object_has_a_handful_and_then_one_now_and_then(
    cluster: MemoryCluster, recorder: EventRecorder
) -> None:
    about, other = predictor(cluster), predictor(cluster, "other")
    for number in range(2 * BURST):
        recorder.record(about, WARNING, "Failed", f"try {number}")
    assert len(await written(cluster)) == BURST
    assert recorder.dropped == BURST
    recorder.record(other, WARNING, "Failed", "it failed")
    assert len(await written(cluster)) == BURST + 1
    await asyncio.sleep(REFILL_S)
    for number in range(2):
        recorder.record(about, WARNING, "Failed", f"later {number}")
    assert len(await written(cluster)) == BURST + 2


async def test_what_waits_and_what_is_remembered_is_bounded(cluster: MemoryCluster) -> None:
    cluster.away = True
    recorder = EventRecorder(cluster, LoopClock(), component="c")
    for number in range(REMEMBERED_MAX + 10):
        about = {"metadata": {"name": f"m-{number}", "namespace": "default", "uid": str(number)}}
        recorder.record(about, NORMAL, "Loaded", "it is loaded")
    assert recorder.dropped == REMEMBERED_MAX + 10 - WAITING_MAX
    assert len(recorder._known) <= REMEMBERED_MAX
    assert len(recorder._allowances) <= REMEMBERED_MAX


async def test_an_outage_is_waited_out_for_a_while(cluster: MemoryCluster, recorder: EventRecorder) -> None:
    about = predictor(cluster)
    cluster.away = True
    recorder.record(about, WARNING, "Failed", "it failed")
    await asyncio.sleep(3)
    cluster.away = False
    await asyncio.sleep(3)
    assert len(cluster.all(EVENT)) == 1


async def test_what_is_refused_is_dropped_and_the_next_one_written(
    cluster: MemoryCluster, recorder: EventRecorder
) -> None:
    def refuse(verb: str, key: Key) -> None:
        cluster.before = None
        raise ClusterRefused("events is forbidden")

    about = predictor(cluster)
    cluster.before = refuse
    recorder.record(about, WARNING, "Failed", "the first")
    recorder.record(about, WARNING, "Failed", "the second")
    assert [event["message"] for event in await written(cluster)] == ["the second"]


async def test_at_the_end_what_waits_is_written_once(cluster: MemoryCluster) -> None:
    recorder = EventRecorder(cluster, LoopClock(), component="c")
    about = predictor(cluster)
    recorder.record(about, NORMAL, "Loaded", "it is loaded")
    await recorder.written()
    assert len(cluster.all(EVENT)) == 1
    cluster.away = True
    recorder.record(about, NORMAL, "Gone", "it is gone")
    await recorder.written()


@pytest.mark.parametrize("letter", ["x", "é", "\ud800"], ids=["ASCII", "wide", "half a character"])
async def test_long_texts_are_cut(cluster: MemoryCluster, recorder: EventRecorder, letter: str) -> None:
    recorder.record(predictor(cluster), WARNING, "Failed", letter * 5000)
    (event,) = await written(cluster)
    assert TEXT_BYTES_MAX - 4 <= len(event["message"].encode()) <= TEXT_BYTES_MAX
    assert event["message"].endswith(" ...")


async def test_the_name_of_a_long_name_is_one(cluster: MemoryCluster, recorder: EventRecorder) -> None:
    recorder.record(predictor(cluster, f"{'a' * 229}-{'b' * 20}"), WARNING, "Failed", "it failed")
    (event,) = await written(cluster)
    assert event["metadata"]["name"].startswith("a" * 229 + ".")
    assert len(event["metadata"]["name"]) <= 253
