import asyncio
import base64
import json
from typing import Any

from adapter.controller.config import ControllerConfig, ScaleToZero
from adapter.controller.manager import Options
from adapter.controller.runtime_work import INVALID, INVALID_SECRET, UNHEALTHY
from adapter.controller.scale_to_zero import UNNEEDED_SINCE
from adapter.domain.kinds import INFERENCE_SERVICE, SERVING_RUNTIME
from tests.unit.controller.managed import HOME, NS, a_controller, isvc, runtime

ZERO = ControllerConfig(scale_to_zero=ScaleToZero(grace_s=5.0))
ANY_CLAIM = ControllerConfig(scale_to_zero=ScaleToZero(enabled=False), allow_any_claim=True)


def secret(name: str, entries: dict[str, Any], *, namespace: str = NS) -> dict[str, Any]:
    data = {key: base64.b64encode(json.dumps(value).encode()).decode() for key, value in entries.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def claim(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NS}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata}


async def test_runtimes_run_with_their_labels_and_as_many_as_the_configuration_says() -> None:
    three = runtime("three", "onnx", replicas=3)
    async with a_controller(runtime("server"), three, runtime("off", disabled=True)) as it:
        assert it.fleet.replicas() == {"server": 2, "three": 3}
        assert it.fleet.plans[NS, "server"].labels == ("mt:sklearn", "rt:server")
        assert [each.name for each in it.fleet.namespaces[NS].runtimes] == ["server", "three"]
        owner = it.fleet.namespaces[NS].owner
        assert owner is not None
        assert (owner["kind"], owner["name"]) == ("Namespace", NS)


async def test_a_runtime_that_is_switched_off_or_gone_runs_no_more() -> None:
    async with a_controller(runtime("a"), runtime("b"), runtime("c")) as it:
        it.cluster.put(runtime("a", disabled=True))
        it.cluster.drop(it.key("b"))
        await it.settle()
        assert set(it.fleet.replicas()) == {"c"}


async def test_a_runtime_of_kserve_is_none_of_ours() -> None:
    async with a_controller(runtime("theirs", multiModel=False, grpcEndpoint=None)) as it:
        assert it.fleet.plans == {}
        assert it.told.events == []


async def test_a_runtime_of_the_cluster_runs_in_each_namespace_and_yields_to_one_of_its_name() -> None:
    ours = {**runtime("server", "onnx"), "kind": "ClusterServingRuntime"}
    ours["metadata"] = {"name": "server"}
    async with a_controller(ours) as it:
        assert set(it.fleet.plans) == {(NS, "server"), (HOME, "server")}
        assert it.fleet.plans[NS, "server"].labels == ("mt:onnx", "rt:server")
        it.cluster.put(runtime("server", "sklearn"))
        await it.settle()
        assert it.fleet.plans[NS, "server"].labels == ("mt:sklearn", "rt:server")
        it.cluster.drop(it.key("server"))
        await it.settle()
        assert it.fleet.plans[NS, "server"].labels == ("mt:onnx", "rt:server")


# What cannot run.


async def test_an_invalid_runtime_is_told_of_once_and_keeps_no_other_from_running() -> None:
    bad = runtime("bad", containers=[{"name": "mm", "image": "x"}])
    async with a_controller(bad, runtime("good")) as it:
        assert it.fleet.replicas() == {"good": 2}
        assert it.told.of("bad") == [INVALID]
        [(_, kind, _, message)] = it.told.events
        assert kind == "Warning"
        assert "spec.containers[0].name" in message


async def test_a_runtime_that_becomes_invalid_goes_on_running_as_it_was() -> None:
    async with a_controller(runtime("server")) as it:
        it.cluster.put(runtime("server", containers="none"))
        await it.settle()
        assert it.fleet.replicas() == {"server": 2}
        assert it.told.of("server") == [INVALID]


async def test_what_the_fleet_refuses_is_told() -> None:
    async with a_controller(runtime("good")) as it:
        it.fleet.refused["refused"] = "spec.volumes: not like this"
        it.cluster.put(runtime("refused"))
        await it.settle()
        assert ("refused", "Warning", INVALID, "spec.volumes: not like this") in it.told.events


async def test_a_crash_loop_is_told_with_its_last_lines_and_its_models_say_so() -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        it.fleet.break_down(NS, "server", "container server: CrashLoopBackOff; its last lines: no such file")
        await it.settle()
        assert it.told.of("server") == [UNHEALTHY]
        assert it.reason("iris") == "RuntimeUnhealthy"
        it.fleet.break_down(NS, "server", "")
        await it.until(lambda: it.state("iris")[0] == "Loaded" and not it.reason("iris"))


async def test_a_runtime_waits_for_the_config_map_that_it_names() -> None:
    waits = runtime("server")
    waits["metadata"]["annotations"] = {"productConfig": "product"}
    async with a_controller(waits) as it:
        assert it.fleet.plans == {}
        assert it.told.of("server") == [INVALID]
        it.cluster.put(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "product", "namespace": NS}}
        )
        await it.until(lambda: it.fleet.replicas() == {"server": 2})


# Scale to zero.


async def test_a_runtime_without_models_does_not_run() -> None:
    async with a_controller(runtime("server"), runtime("other", "onnx"), isvc("iris"), config=ZERO) as it:
        assert it.fleet.replicas() == {"server": 2, "other": 0}


async def test_after_its_last_model_it_runs_for_the_grace_period() -> None:
    async with a_controller(runtime("server"), isvc("iris"), config=ZERO) as it:
        it.cluster.drop(it.key("iris", INFERENCE_SERVICE))
        await asyncio.sleep(1)
        assert it.fleet.replicas() == {"server": 2}
        assert UNNEEDED_SINCE in it.fleet.plans[NS, "server"].marks
        await asyncio.sleep(5)
        assert it.fleet.replicas() == {"server": 0}


async def test_the_grace_period_survives_a_restart() -> None:
    async with a_controller(runtime("server"), isvc("iris"), config=ZERO) as it:
        it.cluster.drop(it.key("iris", INFERENCE_SERVICE))
        await asyncio.sleep(3)
    options = Options(defaults=ZERO)
    async with a_controller(cluster=it.cluster, fleet=it.fleet, config=ZERO, options=options) as again:
        await asyncio.sleep(1)
        assert again.fleet.replicas() == {"server": 2}
        await asyncio.sleep(1)
        assert again.fleet.replicas() == {"server": 0}


async def test_a_model_that_comes_back_in_time_keeps_it_running() -> None:
    async with a_controller(runtime("server"), isvc("iris"), config=ZERO) as it:
        it.cluster.drop(it.key("iris", INFERENCE_SERVICE))
        await asyncio.sleep(2)
        it.cluster.put(isvc("rose"))
        for _ in range(12):
            await asyncio.sleep(0.5)
            assert it.fleet.replicas() == {"server": 2}


# Claims and secrets.


async def test_claims_of_the_storage_secret_are_mounted_and_a_bad_entry_is_told() -> None:
    entries = {"b": {"type": "pvc", "name": "two"}, "a": {"type": "pvc", "name": "one"}, "bad": ["no map"]}
    async with a_controller(runtime("server"), secret("storage-config", entries)) as it:
        assert it.fleet.plans[NS, "server"].claims == ("one", "two")
        assert it.told.of("storage-config") == [INVALID_SECRET]
        it.cluster.put(secret("storage-config", {"c": {"type": "pvc", "name": "three"}}))
        await it.settle()
        assert it.fleet.plans[NS, "server"].claims == ("three",)


async def test_with_any_claim_allowed_those_of_its_models_are_mounted_if_they_are_there() -> None:
    models = [
        isvc(name, storage={"path": "p", "parameters": {"type": "pvc", "name": name}})
        for name in ("there", "missing")
    ]
    async with a_controller(runtime("server"), *models, claim("there"), config=ANY_CLAIM) as it:
        assert it.fleet.plans[NS, "server"].claims == ("there",)
        it.cluster.put(claim("missing"))
        await it.settle()
        assert it.fleet.plans[NS, "server"].claims == ("missing", "there")


async def test_another_namespace_has_the_etcd_secret_with_keys_of_its_own() -> None:
    connection = {"endpoints": "http://etcd:2379", "root_prefix": "/root"}
    etcd = secret("model-serving-etcd", {"etcd_connection": connection}, namespace=HOME)
    home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}}
    async with a_controller(home, etcd, runtime("server")) as it:
        copied = it.fleet.namespaces[NS].etcd_connection
        assert copied is not None
        assert json.loads(copied)["root_prefix"] == "/root/mm_ns/ns"
        assert it.fleet.namespaces[HOME].etcd_connection is None


async def test_a_namespace_with_an_etcd_secret_of_its_own_keeps_it() -> None:
    etcd = secret("model-serving-etcd", {"etcd_connection": {"endpoints": "mine:2379"}})
    async with a_controller(etcd, runtime("server")) as it:
        assert it.fleet.namespaces[NS].etcd_connection is None
        before = it.fleet.plans[NS, "server"].stamp
        it.cluster.put(secret("model-serving-etcd", {"etcd_connection": {"endpoints": "other:2379"}}))
        await it.settle()
        assert it.fleet.plans[NS, "server"].stamp != before


async def test_a_runtime_that_is_declared_twice_at_once_runs_once() -> None:
    async with a_controller(runtime("server")) as it:
        runs = it.fleet.runs
        it.cluster.put(runtime("server"))
        await it.settle()
        assert it.cluster.now(it.key("server", SERVING_RUNTIME)) is not None
        assert it.fleet.replicas() == {"server": 2}
        assert it.fleet.runs - runs <= 1
