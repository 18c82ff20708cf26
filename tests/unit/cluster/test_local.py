from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from adapter.aio.clock import LoopClock
from adapter.cluster.cluster import Changed, ClusterRefused, KindMissing, Listed, ObjectConflict
from adapter.cluster.local import LocalCluster
from adapter.cluster.local_folder import ManifestFolder
from adapter.cluster.local_state import StateFolder
from adapter.domain.kinds import (
    CLUSTER_SERVING_RUNTIME,
    CONFIG_MAP,
    DEPLOYMENT,
    INFERENCE_SERVICE,
    NAMESPACE,
    PREDICTOR,
    SERVING,
    Key,
    Kind,
    Manifest,
)

BUILT_IN = {
    "apiVersion": f"{SERVING}/v1alpha1",
    "kind": "ClusterServingRuntime",
    "metadata": {"name": "ours"},
    "spec": {"multiModel": True},
}
OURS = Key(kind=CLUSTER_SERVING_RUNTIME, name="ours")


def key(name: str, kind: Kind = INFERENCE_SERVICE, namespace: str = "default") -> Key:
    return Key(kind=kind, name=name, namespace=namespace)


def isvc(name: str, **spec: object) -> str:
    head = f"apiVersion: {SERVING}/v1beta1\nkind: InferenceService\nmetadata: {{name: {name}}}\n"
    return f"{head}spec: {spec or {'a': 1}}\n---\n"


class World:
    """A local cluster over two folders, of which no files are watched: `look` looks."""

    def __init__(self, folder: Path) -> None:
        self.manifests = folder / "m"
        self.manifests.mkdir(exist_ok=True)
        self.files = ManifestFolder(self.manifests, "default")
        self.state = StateFolder(folder / "objects")
        self.cluster = self.another()

    def another(self, **more: Any) -> LocalCluster:
        return LocalCluster(self.files, self.state, clock=LoopClock(), built_in=[BUILT_IN], **more)

    async def up(self) -> LocalCluster:
        self.state.prepare()
        self.cluster.take(self.files.look())
        return self.cluster

    def write(self, text: str, name: str = "a.yaml") -> None:
        (self.manifests / name).write_text(text)
        self.cluster.take(self.files.look())


@pytest.fixture
async def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    await world.up()
    return world


async def known(cluster: LocalCluster, key: Key) -> Manifest:
    found = await cluster.get(key)
    assert found is not None
    return found


async def names(cluster: LocalCluster, kind: Kind = INFERENCE_SERVICE) -> list[str]:
    return sorted(each["metadata"]["name"] for each in await cluster.list(kind))


async def test_what_files_declare_is_there_and_gone_when_they_do_not(world: World) -> None:
    world.write(isvc("a") + isvc("b"))
    assert await names(world.cluster) == ["a", "b"]
    world.write(isvc("b"))
    assert await names(world.cluster) == ["b"]


async def test_a_changed_file_is_a_new_generation_and_the_status_stays(world: World) -> None:
    world.write(isvc("a", x=1))
    first = await known(world.cluster, key("a"))
    await world.cluster.patch_status(key("a"), {"status": {"url": "u"}})
    world.write(isvc("a", y=2))
    after = await known(world.cluster, key("a"))
    assert after["spec"] == {"y": 2}
    assert after["status"] == {"url": "u"}
    assert (first["metadata"]["generation"], after["metadata"]["generation"]) == (1, 2)
    assert first["metadata"]["uid"] == after["metadata"]["uid"]


async def test_the_same_file_again_changes_nothing(world: World) -> None:
    world.write(isvc("a"))
    before = await known(world.cluster, key("a"))
    world.write(f"# moved\n{isvc('a')}", name="a.yaml")
    assert await known(world.cluster, key("a")) is before


async def test_a_slip_of_the_pen_deletes_nothing(world: World) -> None:
    world.write(isvc("a") + isvc("b"))
    world.write(isvc("a") + isvc("b").replace("}", "", 1))
    assert await names(world.cluster) == ["a", "b"]
    assert "a.yaml, document 2" in str(world.state.flaws()[0])
    world.write(isvc("a"))
    assert await names(world.cluster) == ["a"]
    assert world.state.flaws() == ()


async def test_a_folder_that_goes_away_takes_nothing_with_it(world: World) -> None:
    world.write(isvc("a"))
    world.manifests.rename(world.manifests.with_name("elsewhere"))
    world.cluster.take(world.files.look())
    assert await names(world.cluster) == ["a"]


async def test_what_has_finalizers_stays_until_they_are_gone_and_then_may_come_again(world: World) -> None:
    world.write(isvc("a"))
    first = await known(world.cluster, key("a"))
    await world.cluster.patch(key("a"), {"metadata": {"finalizers": ["f"]}})
    world.write("")
    assert (await known(world.cluster, key("a")))["metadata"]["deletionTimestamp"]
    world.write(isvc("a"))
    await world.cluster.patch(key("a"), {"metadata": {"finalizers": None}})
    assert await world.cluster.get(key("a")) is None
    world.cluster.take(world.files.look())
    assert (await known(world.cluster, key("a")))["metadata"]["uid"] != first["metadata"]["uid"]


async def test_what_a_caller_wrote_survives_a_change_of_the_file(world: World) -> None:
    world.write(isvc("a", x=1))
    await world.cluster.patch(key("a"), {"metadata": {"annotations": {"seen": "yes"}, "finalizers": ["f"]}})
    world.write(isvc("a", x=2))
    metadata = (await known(world.cluster, key("a")))["metadata"]
    assert (metadata["annotations"], metadata["finalizers"]) == ({"seen": "yes"}, ["f"])


async def test_everything_is_known_again_after_a_restart(world: World) -> None:
    world.write(isvc("a"))
    await world.cluster.patch_status(key("a"), {"status": {"url": "u"}})
    before = await known(world.cluster, key("a"))
    again = world.another()
    again._records.load()
    again.take(world.files.look())
    assert await again.get(key("a")) == before


async def test_what_is_built_in_is_there_unless_it_is_declared_otherwise(world: World) -> None:
    assert (await known(world.cluster, OURS))["spec"] == {"multiModel": True}
    world.write(
        f"{{apiVersion: {SERVING}/v1alpha1, kind: ClusterServingRuntime, metadata: {{name: ours}}, spec: "
        "{disabled: true}}"
    )
    assert (await known(world.cluster, OURS))["spec"] == {"disabled": True}
    world.write("")
    assert (await known(world.cluster, OURS))["spec"] == {"multiModel": True}


async def test_a_declaration_comes_to_what_this_machine_makes_of_it(world: World, tmp_path: Path) -> None:
    def meant(manifest: Manifest) -> Manifest:
        return {**manifest, "spec": {"here": True}} if "spec" in manifest else manifest

    cluster = world.another(meant=meant)
    world.manifests.joinpath("a.yaml").write_text(isvc("a"))
    cluster.take(world.files.look())
    assert (await known(cluster, key("a")))["spec"] == {"here": True}


async def test_every_namespace_is_there_and_served(world: World) -> None:
    world.write(isvc("a").replace("name: a", "name: a, namespace: other"))
    assert await names(world.cluster, NAMESPACE) == ["default", "other"]
    labels = [each["metadata"]["labels"] for each in await world.cluster.list(NAMESPACE)]
    assert labels == [{"modelmesh-enabled": "true"}] * 2


async def test_a_new_predictor_has_the_status_of_its_definition(world: World) -> None:
    world.write(f"{{apiVersion: {SERVING}/v1alpha1, kind: Predictor, metadata: {{name: p}}, spec: {{}}}}")
    status = (await known(world.cluster, key("p", PREDICTOR)))["status"]
    assert (status["activeModelState"], status["available"], status["transitionStatus"]) == (
        "Pending",
        False,
        "UpToDate",
    )


@pytest.fixture
async def news(world: World) -> AsyncIterator[AsyncIterator[Listed | Changed]]:
    async with aclosing(world.cluster.follow(INFERENCE_SERVICE, namespace="default")) as news:
        yield news


async def test_first_all_there_is_then_each_change(
    world: World, news: AsyncIterator[Listed | Changed]
) -> None:
    world.write(isvc("a"))
    listed = await anext(news)
    assert isinstance(listed, Listed)
    assert listed.objects == [await known(world.cluster, key("a"))]
    after = await world.cluster.patch_status(key("a"), {"status": {"url": "u"}})
    assert await anext(news) == Changed(key=key("a"), manifest=after)
    world.write("")
    assert await anext(news) == Changed(key=key("a"), manifest=None)


def settings(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


async def test_callers_make_change_and_delete_what_no_file_declares(world: World) -> None:
    cluster, c = world.cluster, key("c", CONFIG_MAP)
    made = await cluster.create(settings("c", a="1"), CONFIG_MAP)
    assert (made["apiVersion"], made["kind"]) == ("v1", "ConfigMap")
    with pytest.raises(ObjectConflict, match="there already"):
        await cluster.create(settings("c"), CONFIG_MAP)
    applied = await cluster.apply(settings("c", b="2"), CONFIG_MAP)
    assert applied["data"] == {"a": "1", "b": "2"}
    assert (await cluster.apply(settings("c", b="3"), CONFIG_MAP))["data"] == {"a": "1", "b": "3"}
    world.cluster.take(world.files.look())
    assert not await cluster.delete(c, uid="another")
    assert await cluster.delete(c, uid=made["metadata"]["uid"])
    assert await cluster.get(c) is None


async def test_only_the_latest_is_replaced(world: World) -> None:
    made = await world.cluster.create(settings("c", a="1"), CONFIG_MAP)
    await world.cluster.replace({**made, "data": {"a": "2"}}, CONFIG_MAP)
    for stale, error in (
        (made, ObjectConflict),
        (settings("c"), ClusterRefused),
        (settings("no"), ClusterRefused),
    ):
        with pytest.raises(error):
            await world.cluster.replace(stale, CONFIG_MAP)
    patch = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {}}
    for ask in (world.cluster.patch, world.cluster.patch_status):
        with pytest.raises(ObjectConflict):
            await ask(key("c", CONFIG_MAP), patch)


async def test_a_kind_that_it_does_not_have_is_told(world: World) -> None:
    with pytest.raises(KindMissing, match="deployments"):
        await world.cluster.list(DEPLOYMENT)
    with pytest.raises(KindMissing, match="deployments"):
        await world.cluster.create(settings("d"), DEPLOYMENT)
    assert await world.cluster.get(key("d", DEPLOYMENT)) is None
    assert await world.cluster.patch(key("d", DEPLOYMENT), {}) is None
    assert not await world.cluster.delete(key("d", DEPLOYMENT))


async def test_labels_choose(world: World) -> None:
    await world.cluster.create({"metadata": {"name": "c", "labels": {"a": "1", "b": "1"}}}, CONFIG_MAP)
    await world.cluster.create({"metadata": {"name": "d"}}, CONFIG_MAP)
    assert [each["metadata"]["name"] for each in await world.cluster.list(CONFIG_MAP, labels={"a": "1"})] == [
        "c"
    ]
    assert len(await world.cluster.list(CONFIG_MAP)) == 2
