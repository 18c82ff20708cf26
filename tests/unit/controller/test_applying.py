from dataclasses import replace
from typing import Any

import pytest

from adapter.aio.clock import LoopClock
from adapter.cluster.cluster import ClusterUnavailable
from adapter.controller.applying import CALM_S, RECHECK_S, Applier, Item, NotOurs, StillThere
from adapter.controller.desired.deployment import deployment
from adapter.controller.desired.names import MONITOR_NAME
from adapter.controller.desired.namespace import service
from adapter.domain.kinds import AUTOSCALER, DEPLOYMENT, SECRET, SERVICE, SERVICE_MONITOR, Key
from tests.fakes.memory_cluster import MemoryCluster
from tests.unit.controller.desired.examples import BARE, a_namespace, a_plan, unowned

THE_DEPLOYMENT = Item.of(DEPLOYMENT, deployment(unowned(a_plan())))
THE_SERVICE = Item.of(SERVICE, service(a_namespace()))


class World:
    def __init__(self) -> None:
        self.cluster = MemoryCluster(namespaces=["apples"])
        self.applier = Applier(self.cluster, clock=LoopClock())

    def verbs(self) -> list[str]:
        """What was written since this was last asked."""
        verbs = [verb for verb, _ in self.cluster.writes]
        self.cluster.writes.clear()
        return verbs

    def there(self, item: Item) -> dict[str, Any] | None:
        return self.cluster.now(item.key)

    def a_runtime(self) -> list[dict[str, Any]]:
        """A runtime that may own what ModelMesh made."""
        names = {"apiVersion": "serving.kserve.io/v1alpha1", "kind": "ServingRuntime"}
        made = self.cluster.put({**names, "metadata": {"name": "r", "namespace": "apples"}})
        return [{**names, "name": "r", "uid": made["metadata"]["uid"]}]

    def put(self, item: Item, **metadata: Any) -> None:
        """An object of that name that somebody else made."""
        names = {"name": item.key.name, "namespace": item.key.namespace}
        self.cluster.put({**item.manifest, "metadata": names | metadata})
        self.cluster.writes.clear()


@pytest.fixture
def world() -> World:
    return World()


async def test_the_same_again_is_no_request(world: World) -> None:
    assert await world.applier.have(THE_DEPLOYMENT) is not None
    assert world.verbs() == ["apply"]
    assert await world.applier.have(THE_DEPLOYMENT) is None
    world.cluster.away = True
    assert await world.applier.have(THE_DEPLOYMENT) is None


async def test_what_is_wanted_differently_is_applied(world: World) -> None:
    await world.applier.have(THE_DEPLOYMENT)
    await world.applier.have(Item.of(DEPLOYMENT, deployment(unowned(a_plan(replicas=5)))))
    assert world.verbs() == ["apply", "apply"]
    found = world.there(THE_DEPLOYMENT)
    assert found is not None
    assert found["spec"]["replicas"] == 5


async def test_now_and_then_it_is_made_sure_of(world: World) -> None:
    await world.applier.have(THE_DEPLOYMENT)
    await LoopClock().sleep(RECHECK_S)
    await world.applier.have(THE_DEPLOYMENT)
    assert world.verbs() == ["apply", "apply"]


async def test_what_failed_is_tried_again(world: World) -> None:
    world.cluster.away = True
    with pytest.raises(ClusterUnavailable):
        await world.applier.have(THE_DEPLOYMENT)
    world.cluster.away = False
    assert await world.applier.have(THE_DEPLOYMENT) is not None


async def test_what_somebody_else_changed_is_mended_but_not_in_a_race(world: World) -> None:
    after = await world.applier.have(THE_DEPLOYMENT)
    assert after is not None
    generation = int(after["metadata"].get("generation", 0))
    assert not world.applier.drifted(THE_DEPLOYMENT.key, generation)
    assert not world.applier.drifted(THE_DEPLOYMENT.key, generation + 1)
    assert await world.applier.have(THE_DEPLOYMENT) is not None
    await LoopClock().sleep(CALM_S)
    assert world.applier.drifted(THE_DEPLOYMENT.key, generation + 1)


async def test_what_somebody_else_deleted_is_made_anew_at_once(world: World) -> None:
    await world.applier.have(THE_DEPLOYMENT)
    world.cluster.drop(THE_DEPLOYMENT.key)
    assert world.applier.drifted(THE_DEPLOYMENT.key, None)
    assert await world.applier.have(THE_DEPLOYMENT) is not None
    assert world.there(THE_DEPLOYMENT) is not None


async def test_what_was_never_applied_does_not_drift(world: World) -> None:
    assert not world.applier.drifted(THE_DEPLOYMENT.key, 7)


@pytest.mark.parametrize("item", [THE_DEPLOYMENT, THE_SERVICE], ids=str)
async def test_what_people_made_is_left_alone(world: World, item: Item) -> None:
    world.put(item, labels={"app": "mine"})
    with pytest.raises(
        NotOurs, match=r"is there already, and not made by this controller; delete or rename it"
    ):
        await world.applier.have(item)
    assert world.verbs() == []


async def test_modelmeshs_pods_are_not_mixed_with_ours(world: World) -> None:
    world.put(THE_DEPLOYMENT, ownerReferences=world.a_runtime(), annotations={"left": "over"})
    await world.applier.have(THE_DEPLOYMENT)
    assert world.verbs() == ["delete", "apply"]
    found = world.there(THE_DEPLOYMENT)
    assert found is not None
    assert "annotations" not in found["metadata"]


async def test_modelmeshs_service_is_taken_over_as_it_is(world: World) -> None:
    world.put(THE_SERVICE, labels={"app.kubernetes.io/managed-by": "modelmesh-controller"})
    await world.applier.have(THE_SERVICE)
    assert world.verbs() == ["apply"]


async def test_a_service_that_becomes_headless_is_made_anew(world: World) -> None:
    await world.applier.have(
        Item.of(SERVICE, service(a_namespace(config=replace(BARE, headless_service=True))))
    )
    await world.applier.have(Item.of(SERVICE, service(a_namespace(config=BARE))))
    assert world.verbs() == ["apply", "delete", "apply"]


async def test_what_is_being_deleted_is_waited_for(world: World) -> None:
    world.put(
        THE_DEPLOYMENT, finalizers=["example/hold"], labels=THE_DEPLOYMENT.manifest["metadata"]["labels"]
    )
    world.cluster.drop(THE_DEPLOYMENT.key)
    with pytest.raises(StillThere):
        await world.applier.have(THE_DEPLOYMENT)


async def test_what_is_to_go_goes_and_is_not_asked_for_again(world: World) -> None:
    await world.applier.have(THE_DEPLOYMENT)
    await world.applier.remove(THE_DEPLOYMENT.key)
    assert world.there(THE_DEPLOYMENT) is None
    world.cluster.away = True
    await world.applier.remove(THE_DEPLOYMENT.key)


async def test_what_went_can_come_again(world: World) -> None:
    await world.applier.remove(THE_DEPLOYMENT.key)
    await world.applier.have(THE_DEPLOYMENT)
    await world.applier.remove(THE_DEPLOYMENT.key)
    assert world.there(THE_DEPLOYMENT) is None


async def test_a_secret_that_people_made_does_not_go_though_an_installer_labelled_it(world: World) -> None:
    secret = Item.of(
        SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "apples"}}
    )
    world.put(secret, labels={"app.kubernetes.io/managed-by": "modelmesh-controller"})
    await world.applier.remove(secret.key)
    assert world.there(secret) is not None


async def test_an_autoscaler_of_modelmesh_goes(world: World) -> None:
    manifest = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "spec": {}}
    item = Item.of(AUTOSCALER, {**manifest, "metadata": {"name": "h", "namespace": "apples"}})
    world.put(item, ownerReferences=world.a_runtime())
    await world.applier.remove(item.key)
    assert world.there(item) is None


async def test_of_a_kind_that_is_not_installed_there_is_nothing(world: World) -> None:
    world.cluster.uninstall(SERVICE_MONITOR)
    await world.applier.remove(Key(kind=SERVICE_MONITOR, name=MONITOR_NAME, namespace="apples"))


async def test_a_forgotten_namespace_is_looked_at_anew(world: World) -> None:
    await world.applier.have(THE_DEPLOYMENT)
    world.applier.forget("pears")
    assert await world.applier.have(THE_DEPLOYMENT) is None
    world.applier.forget("apples")
    assert await world.applier.have(THE_DEPLOYMENT) is not None
