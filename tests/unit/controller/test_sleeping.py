"""Runtimes that sleep because nobody asks, as a whole controller has them."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from adapter.controller.config import ControllerConfig, ScaleToZero
from adapter.controller.scale_to_zero import ASLEEP_SINCE
from adapter.domain.kinds import INFERENCE_SERVICE
from adapter.domain.records import InstanceRecord
from adapter.domain.status import ModelStatus
from adapter.registry.encoding import encode_instance, encode_wanted
from tests.unit.controller.managed import NS, PREFIX, AController, a_controller, isvc, runtime

IDLE_S = 60.0
CONFIG = ControllerConfig(scale_to_zero=ScaleToZero(idle_s=IDLE_S))
ETCD = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "model-serving-etcd", "namespace": NS},
    "data": {"etcd_connection": base64.b64encode(b'{"endpoints":"http://etcd:2379"}').decode()},
}
STANDBY, LOADED = ("Standby", "", "UpToDate"), ("Loaded", "", "UpToDate")


async def told(it: AController, *, idle_for_s: float | None, name: str = "server") -> None:
    """What the one instance of a runtime tells the registry; None: that it is in use."""
    since_ms = None if idle_for_s is None else it.clock.epoch_ms() - round(idle_for_s * 1e3)
    record = InstanceRecord(
        boot="b", address="a:1", started_ms=0, labels=(f"rt:{name}", "mt:sklearn"), idle_since_ms=since_ms
    )
    await it.registry.commit({f"{PREFIX}instances/{name}-1": encode_instance(record)}, guards={})


async def left(it: AController, name: str = "server") -> None:
    """The instance is gone, and the copy of each model with it."""
    await it.registry.commit({f"{PREFIX}instances/{name}-1": None}, guards={})
    for key in it.mesh.models:
        it.mesh.models[key] = ModelStatus.NOT_LOADED
    for namespace, vmodel in list(it.mesh.vmodels):
        it.mesh.tell(namespace, vmodel)


async def held(it: AController, *types: str) -> None:
    """The door tells that it holds calls for these."""
    value = encode_wanted(types) if types else None
    await it.registry.commit({f"{PREFIX}wanted/door": value}, guards={})


@asynccontextmanager
async def in_use(*objects: Any, **more: Any) -> AsyncIterator[AController]:
    """A model that is loaded and used."""
    async with a_controller(ETCD, runtime("server"), isvc("iris"), *objects, config=CONFIG, **more) as it:
        await told(it, idle_for_s=None)
        await it.settle()
        yield it


@asynccontextmanager
async def asleep() -> AsyncIterator[AController]:
    """It was used a while ago."""
    async with in_use() as it:
        await told(it, idle_for_s=0.0)
        await asyncio.sleep(IDLE_S + 1)
        await left(it)
        await it.settle()
        assert it.fleet.replicas() == {"server": 0}
        yield it


async def test_a_runtime_that_nobody_asks_is_stopped_and_its_models_stand_by() -> None:
    async with in_use() as it:
        await asyncio.sleep(2 * IDLE_S)
        assert (it.fleet.replicas(), it.state("iris")) == ({"server": 2}, LOADED)
        await told(it, idle_for_s=10.0)
        await asyncio.sleep(IDLE_S - 11)
        assert it.fleet.replicas() == {"server": 2}
        await asyncio.sleep(2)
        assert it.fleet.replicas() == {"server": 0}
        assert ASLEEP_SINCE in it.fleet.plans[NS, "server"].marks
        await left(it)
        await asyncio.sleep(10 * IDLE_S)
        assert (it.fleet.replicas(), it.state("iris")) == ({"server": 0}, STANDBY)
        assert "lastFailureInfo" not in it.status("iris")["modelStatus"]


async def test_a_call_that_is_held_wakes_it_and_it_sleeps_again() -> None:
    async with asleep() as it:
        await held(it, "mt:sklearn")
        await it.settle()
        assert it.fleet.replicas() == {"server": 2}
        await told(it, idle_for_s=0.0)
        await held(it)
        await asyncio.sleep(IDLE_S + 1)
        assert it.fleet.replicas() == {"server": 0}


async def test_a_call_for_others_does_not_wake_it() -> None:
    async with asleep() as it:
        await held(it, "mt:onnx", "rt:other", "mt:sklearn|pv:grpc-v2")
        await it.settle()
        assert it.fleet.replicas() == {"server": 0}
        await held(it, "rt:server")
        await it.settle()
        assert it.fleet.replicas() == {"server": 2}


async def test_one_that_only_starts_is_not_idle() -> None:
    async with asleep() as it:
        await held(it, "mt:sklearn")
        await it.settle()
        await held(it)
        await asyncio.sleep(10 * IDLE_S)
        assert it.fleet.replicas() == {"server": 2}


async def test_a_model_that_is_declared_or_changed_wakes_its_runtime_and_is_tried() -> None:
    async with asleep() as it:
        it.cluster.put(isvc("rose"))
        await it.settle()
        assert (it.fleet.replicas(), it.state("rose")) == ({"server": 2}, LOADED)
        await told(it, idle_for_s=IDLE_S)
        await asyncio.sleep(IDLE_S + 1)
        assert it.fleet.replicas() == {"server": 0}
        it.cluster.put(isvc("rose", "another/path"))
        await it.settle()
        assert it.fleet.replicas() == {"server": 2}


async def test_a_change_of_no_consequence_does_not_wake_it() -> None:
    async with asleep() as it:
        again = isvc("iris")
        again["metadata"]["labels"] = {"team": "mesh"}
        it.cluster.put(again)
        await it.settle()
        assert (it.fleet.replicas(), it.state("iris")) == ({"server": 0}, STANDBY)


async def test_a_new_controller_neither_wakes_nor_stops_what_it_finds() -> None:
    async with asleep() as it:
        cluster, fleet, mesh = it.cluster, it.fleet, it.mesh
    fleet._news = asyncio.Queue()
    async with a_controller(config=CONFIG, cluster=cluster, fleet=fleet, mesh=mesh) as it:
        await it.settle()
        assert (it.fleet.replicas(), it.state("iris")) == ({"server": 0}, STANDBY)
        await held(it, "mt:sklearn")
        await it.settle()
        assert it.fleet.replicas() == {"server": 2}


async def test_who_calls_while_nothing_runs_wakes_what_there_is() -> None:
    async with asleep() as it:
        it.manager.called(NS)
        await it.settle()
        assert it.fleet.replicas() == {"server": 2}


async def test_nothing_is_stopped_by_what_was_true_before_the_registry_went_away() -> None:
    async with in_use() as it:
        await told(it, idle_for_s=10.0)
        await it.settle()
        it.registry.away = True
        await asyncio.sleep(2 * IDLE_S)
        assert it.fleet.replicas() == {"server": 2}
        it.registry.away = False
        await asyncio.sleep(2 * IDLE_S)
        assert it.fleet.replicas() == {"server": 0}


async def test_there_is_a_door_only_while_runtimes_may_sleep() -> None:
    async with in_use() as it:
        assert it.fleet.namespaces[NS].door
    async with a_controller(ETCD, runtime("server"), isvc("iris")) as it:
        assert not it.fleet.namespaces[NS].door
        await told(it, idle_for_s=IDLE_S)
        await asyncio.sleep(10 * IDLE_S)
        assert it.fleet.replicas() == {"server": 2}


async def test_of_two_runtimes_the_one_that_nobody_asks_sleeps() -> None:
    async with in_use(runtime("spare")) as it:
        await told(it, idle_for_s=0.0, name="spare")
        await asyncio.sleep(IDLE_S + 1)
        assert it.fleet.replicas() == {"server": 2, "spare": 0}
        assert it.state("iris") == LOADED


async def test_an_object_that_is_gone_while_its_runtime_sleeps_leaves_nothing() -> None:
    async with asleep() as it:
        it.cluster.drop(it.key("iris", INFERENCE_SERVICE))
        await asyncio.sleep(10)
        assert it.cluster.now(it.key("iris", INFERENCE_SERVICE)) is None
        assert it.mesh.vmodels == {}
