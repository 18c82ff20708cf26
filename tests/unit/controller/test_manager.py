from dataclasses import replace

import pytest

from adapter.controller.config import ControllerConfig, ScaleToZero
from adapter.controller.manager import Options
from adapter.domain.kinds import CONFIG_MAP, INFERENCE_SERVICE, NAMESPACE, PREDICTOR, Key
from adapter.domain.status import ModelStatus
from tests.fakes.declared_mesh import DeclaredMesh
from tests.unit.controller.managed import HOME, NS, AController, a_controller, isvc, predictor, runtime

LOADED = ("Loaded", "", "UpToDate")
IRIS = Key(kind=INFERENCE_SERVICE, name="iris", namespace=NS)
WRONG = {"status": {"modelStatus": {"states": {"activeModelState": "Pending"}}}}


async def test_a_declared_model_becomes_registered_loaded_and_ready() -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        assert it.state("iris") == LOADED
        assert it.status("iris")["url"] == "grpc://modelmesh-serving.ns:8033"
        [(namespace, asked)] = it.mesh.asked[:1]
        assert (namespace, asked.vmodel, asked.owner, asked.load_now) == (NS, "iris", "isvc", True)
        assert asked.target.startswith("iris__isvc-")


async def test_nothing_is_written_of_what_is_as_it_should_be() -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        it.cluster.writes.clear()
        it.mesh.tell(NS, "iris")
        await it.settle()
        assert it.cluster.writes == []


async def test_what_it_writes_itself_is_not_looked_at_again() -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        it.mesh.tell = lambda namespace, vmodel: None
        before = it.manager.looks
        it.cluster.put(isvc("iris", "iris-2"))
        await it.settle()
        assert it.state("iris") == LOADED
        assert it.manager.looks - before == 2, "at the model, and at the runtime that it needs"


async def test_a_status_that_somebody_else_writes_is_mended() -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        await it.cluster.patch_status(IRIS, WRONG)
        await it.settle()
        assert it.state("iris") == LOADED


async def test_even_while_it_writes_itself() -> None:
    async with a_controller(runtime("server"), isvc("iris"), mesh=DeclaredMesh(slow=True)) as it:

        def meddle(verb: str, key: Key) -> None:
            it.cluster.before = None
            it.cluster.put({**(it.cluster.now(key) or {}), **WRONG})

        it.cluster.before = meddle
        it.mesh.finish(NS, "iris")
        await it.settle()
        assert it.cluster.before is None
        assert it.state("iris") == LOADED


async def test_a_load_that_ends_later_is_told_when_it_ends() -> None:
    async with a_controller(runtime("server"), isvc("iris"), mesh=DeclaredMesh(slow=True)) as it:
        assert it.state("iris") == ("Loading", "", "UpToDate")
        it.mesh.finish(NS, "iris")
        await it.settle()
        assert it.state("iris") == LOADED


async def test_the_old_model_serves_until_the_new_one_is_loaded() -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        it.mesh.slow = True
        it.cluster.put(isvc("iris", "iris-2"))
        await it.settle()
        assert it.state("iris") == ("Loaded", "Loading", "InProgress")
        it.mesh.finish(NS, "iris")
        await it.settle()
        assert it.state("iris") == LOADED


async def test_a_new_model_that_cannot_be_loaded_leaves_the_old_one_serving() -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        it.cluster.put(isvc("iris", "invalid/path"))
        await it.settle()
        assert it.state("iris") == ("Loaded", "FailedToLoad", "BlockedByFailedLoad")
        assert it.reason("iris") == "ModelLoadFailed"


async def test_one_bad_object_blocks_no_other() -> None:
    bad = isvc("bad")
    bad["spec"]["predictor"]["model"]["storageUri"] = "ftp://nowhere/x"
    worse = isvc("worse")
    worse["spec"] = {"predictor": {"nonsense": {}}}
    async with a_controller(runtime("server"), bad, worse, isvc("good")) as it:
        assert it.state("good") == LOADED
        assert it.state("bad")[2] == it.state("worse")[2] == "InvalidSpec"
        assert it.reason("bad") == "InvalidPredictorSpec"
        assert "storage" in it.status("bad")["modelStatus"]["lastFailureInfo"]["message"]
        assert it.told.of("bad")


async def test_a_model_that_no_runtime_supports_says_so_and_is_loaded_when_one_comes() -> None:
    async with a_controller(isvc("iris")) as it:
        assert it.reason("iris") in ("NoSupportingRuntime", "RuntimeUnhealthy")
        it.cluster.put(runtime("server"))
        await it.settle()
        assert it.state("iris") == LOADED


async def test_both_kinds_may_not_have_one_name() -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        it.cluster.put(predictor("iris"))
        await it.settle()
        told = it.status("iris", PREDICTOR)["lastFailureInfo"]
        assert told["reason"] == "InvalidPredictorSpec"
        assert it.state("iris") == LOADED
        it.cluster.drop(it.key("iris", PREDICTOR))
        await it.settle()
        assert it.mesh.vmodels[NS, "iris"].owner == "isvc"


async def test_who_is_deleted_is_forgotten_before_the_object_goes() -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        it.mesh.broken = True
        it.cluster.drop(it.key("iris", INFERENCE_SERVICE))
        await it.settle()
        assert it.cluster.now(it.key("iris", INFERENCE_SERVICE)) is not None
        it.mesh.broken = False
        await it.until(lambda: it.cluster.now(it.key("iris", INFERENCE_SERVICE)) is None)
        assert it.mesh.vmodels == {}


async def test_without_a_mesh_an_object_is_not_held() -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        it.mesh.reached = lambda _namespace: False
        it.cluster.drop(it.key("iris", INFERENCE_SERVICE))
        await it.settle()
        assert it.cluster.now(it.key("iris", INFERENCE_SERVICE)) is None


async def test_a_store_that_lost_everything_is_filled_again() -> None:
    async with a_controller(runtime("server"), isvc("iris"), isvc("rose")) as it:
        it.mesh.lose_everything()
        await it.settle()
        assert set(it.mesh.vmodels) == {(NS, "iris"), (NS, "rose")}


async def test_what_nobody_noticed_is_mended_by_the_resync() -> None:
    options = Options(resync_s=60.0, defaults=ControllerConfig(scale_to_zero=ScaleToZero(enabled=False)))
    async with a_controller(runtime("server"), isvc("iris"), options=options) as it:
        it.mesh.vmodels.clear()
        await it.until(lambda: it.mesh.vmodels, within_s=130.0)


async def test_a_mesh_that_fails_is_asked_again() -> None:
    async with a_controller(runtime("server"), isvc("iris"), mesh=DeclaredMesh(broken=True)) as it:
        assert it.state("iris") != LOADED
        it.mesh.broken = False
        await it.until(lambda: it.state("iris") == LOADED)
        assert it.manager.failures > 0


async def test_an_api_server_that_is_away_is_waited_for() -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        it.cluster.away = True
        it.mesh.finish(NS, "iris", ModelStatus.NOT_LOADED)
        await it.settle()
        it.cluster.away = False
        await it.until(lambda: it.state("iris")[0] == "Standby")


@pytest.mark.parametrize("label", ["false", None], ids=["false", "gone"])
async def test_a_namespace_that_is_not_enabled_any_more_is_left_to_itself(label: str | None) -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        labels = {} if label is None else {"modelmesh-enabled": label}
        it.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS, "labels": labels}})
        await it.settle()
        assert it.fleet.withdrawn == [NS]
        assert it.fleet.plans == {}


async def test_a_namespace_that_is_not_enabled_is_not_touched() -> None:
    async with a_controller(runtime("server"), isvc("iris"), enabled=False) as it:
        assert it.cluster.writes == []
        assert it.fleet.plans == {}
        metadata = {"name": NS, "labels": {"modelmesh-enabled": "true"}}
        await it.cluster.patch(Key(kind=NAMESPACE, name=NS), {"metadata": metadata})
        await it.until(lambda: it.state("iris") == LOADED)


# The configuration.


def the_config(content: str) -> dict[str, object]:
    metadata = {"name": "model-serving-config", "namespace": HOME}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {"config.yaml": content},
    }


OFF = "scaleToZero: {enabled: false}\n"


async def test_the_configuration_is_followed() -> None:
    async with a_controller(runtime("server"), isvc("iris"), the_config(OFF + "podsPerRuntime: 1")) as it:
        assert it.fleet.replicas() == {"server": 1}
        it.cluster.put(the_config(OFF + "podsPerRuntime: 3"))
        await it.settle()
        assert it.fleet.replicas() == {"server": 3}


async def test_a_configuration_that_cannot_be_read_changes_nothing_and_is_told() -> None:
    async with a_controller(runtime("server"), isvc("iris"), the_config(OFF + "podsPerRuntime: 1")) as it:
        it.cluster.put(the_config("podsPerRuntime: many"))
        await it.settle()
        assert it.fleet.replicas() == {"server": 1}
        assert it.told.of("model-serving-config") == ["InvalidConfiguration"]
        await it.cluster.delete(Key(kind=CONFIG_MAP, name="model-serving-config", namespace=HOME))
        await it.settle()
        assert it.fleet.replicas() == {"server": 2}


# Faults of our own.


async def test_a_fault_with_one_object_is_that_objects_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        look_at = it.manager._models.look_at

        async def fail(key: object) -> float | None:
            if getattr(key, "name", "") == "bad":
                raise ZeroDivisionError
            return await look_at(key)  # type: ignore[arg-type]

        monkeypatch.setattr(it.manager._models, "look_at", fail)
        it.cluster.put(isvc("bad"))
        it.cluster.put(isvc("good"))
        await it.settle()
        assert it.state("good") == LOADED
        assert it.state("bad") == ("", "", "")


async def after_a_restart(before: AController) -> None:
    mesh = replace(before.mesh)
    async with a_controller(cluster=before.cluster, mesh=mesh, fleet=before.fleet) as it:
        it.cluster.writes.clear()
        await it.settle()
        assert it.cluster.writes == []
        assert it.state("iris") == LOADED


async def test_after_a_restart_all_is_as_it_was() -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        pass
    await after_a_restart(it)
