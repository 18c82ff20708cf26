"""What every cluster must do, wherever it keeps its objects."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

from adapter.cluster.cluster import Changed, Cluster, ClusterRefused, KindMissing, Listed, ObjectConflict
from adapter.domain.kinds import CONFIG_MAP, CUSTOM_RESOURCE, NAMESPACE, Key, Kind, Manifest

PATIENCE_S = 30.0
LOOK_EVERY_S = 0.05

SHEEP = Kind(group="tests.remesh.dev", version="v1", name="Sheep", plural="sheep")
"""A kind that the suite itself defines."""
HERD = Kind(group="tests.remesh.dev", version="v1", name="Herd", plural="herds", namespaced=False)
"""One in no namespace."""
GHOST = Kind(group="tests.remesh.dev", version="v1", name="Ghost", plural="ghosts")
"""One that nobody defines."""

NAMES = (f"n-{number}" for number in itertools.count())

T = TypeVar("T")


ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definition(kind: Kind, schema: Mapping[str, Any] = ANYTHING) -> dict[str, Any]:
    """The kind, the status written on its own."""
    return {
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": {"kind": kind.name, "plural": kind.plural, "singular": kind.name.lower()},
            "versions": [
                {
                    "name": kind.version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


async def define(cluster: Cluster, *defined: Kind, schema: Mapping[str, Any] = ANYTHING) -> None:
    """Have these kinds, and wait until they are served."""
    for kind in defined:
        await cluster.apply(definition(kind, schema), CUSTOM_RESOURCE)
    async with asyncio.timeout(PATIENCE_S):
        for kind in defined:
            while True:
                try:
                    await cluster.list(kind)
                    break
                except KindMissing:
                    await asyncio.sleep(LOOK_EVERY_S)


async def undefine(cluster: Cluster, kind: Kind) -> None:
    """Have this kind no more."""
    await cluster.delete(Key(kind=CUSTOM_RESOURCE, name=f"{kind.plural}.{kind.group}"))


def known(thing: T | None) -> T:
    """It is there."""
    assert thing is not None
    return thing


def version(manifest: Manifest) -> str:
    return str(manifest["metadata"]["resourceVersion"])


class Followed:
    """What somebody who follows a kind is told."""

    def __init__(self, news: AsyncIterator[Listed | Changed]) -> None:
        self._news = news

    async def next(self) -> Listed | Changed:
        async with asyncio.timeout(PATIENCE_S):
            return await anext(self._news)

    async def listed(self) -> list[str]:
        """The names of all that is there."""
        told = await self.next()
        assert isinstance(told, Listed)
        return sorted(str(each["metadata"]["name"]) for each in told.objects)

    async def changed(self) -> Changed:
        told = await self.next()
        assert isinstance(told, Changed)
        return told

    async def until(self, name: str) -> dict[str, Manifest]:
        """All that is known once an object of this name is among it."""
        there: dict[str, Manifest] = {}
        while name not in there:
            told = await self.next()
            if isinstance(told, Listed):
                there = {each["metadata"]["name"]: each for each in told.objects}
            elif told.manifest is None:
                there.pop(told.key.name, None)
            else:
                there[told.key.name] = told.manifest
        return there


@asynccontextmanager
async def following(cluster: Cluster, kind: Kind, *, namespace: str | None) -> AsyncIterator[Followed]:
    """Follow a kind within the block."""
    news = cluster.follow(kind, namespace=namespace)
    try:
        yield Followed(news)
    finally:
        close = getattr(news, "aclose", None)
        if close is not None:
            await close()


class Meadow:
    """A namespace of a test's own, and objects in it."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def key(self, name: str, kind: Kind = SHEEP) -> Key:
        return Key(kind=kind, name=name, namespace=self.namespace if kind.namespaced else "")

    def sheep(self, name: str, spec: Mapping[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
        """A manifest, without what the client can tell by itself."""
        return {
            "metadata": {"name": name, "namespace": self.namespace, **metadata},
            "spec": dict(spec or {"wool": "white"}),
        }

    async def born(self, name: str, spec: Mapping[str, Any] | None = None, **metadata: Any) -> Manifest:
        return await self.cluster.create(self.sheep(name, spec, **metadata), SHEEP)

    async def gone(self, name: str, kind: Kind = SHEEP) -> None:
        """Wait until it is."""
        async with asyncio.timeout(PATIENCE_S):
            async with following(self.cluster, kind, namespace=self.namespace) as followed:
                there = set(await followed.listed())
                while name in there:
                    told = await followed.changed()
                    if told.manifest is None:
                        there.discard(told.key.name)


class ReadingContract:
    """Reading and making objects."""

    @pytest.fixture
    async def meadow(self, cluster: Cluster) -> Meadow:
        namespace = f"{next(NAMES)}-{type(self).__name__.lower()}"
        await cluster.create({"metadata": {"name": namespace}}, NAMESPACE)
        return Meadow(cluster, namespace)

    async def test_what_was_made_can_be_read(self, meadow: Meadow) -> None:
        made = await meadow.born("dolly", labels={"colour": "white"})
        assert made == await meadow.cluster.get(meadow.key("dolly"))
        assert (made["apiVersion"], made["kind"]) == ("tests.remesh.dev/v1", "Sheep")
        assert made["spec"] == {"wool": "white"}
        assert made["metadata"]["uid"]
        assert made["metadata"]["creationTimestamp"].endswith("Z")
        assert made["metadata"]["generation"] == 1

    async def test_what_is_not_there_is_none(self, meadow: Meadow) -> None:
        cluster, key = meadow.cluster, meadow.key("nobody")
        assert await cluster.get(key) is None
        assert await cluster.patch(key, {"spec": {}}) is None
        assert await cluster.patch_status(key, {"status": {}}) is None
        assert await cluster.delete(key) is False

    async def test_a_name_is_taken_once(self, meadow: Meadow) -> None:
        await meadow.born("dolly")
        with pytest.raises(ObjectConflict, match="dolly"):
            await meadow.born("dolly")

    async def test_lists_are_by_namespace_and_labels(self, meadow: Meadow) -> None:
        await meadow.born("dolly", labels={"colour": "white", "age": "6"})
        await meadow.born("shaun", labels={"colour": "black"})
        cluster, namespace = meadow.cluster, meadow.namespace
        both = await cluster.list(SHEEP, namespace=namespace)
        white = await cluster.list(SHEEP, namespace=namespace, labels={"colour": "white"})
        assert sorted(each["metadata"]["name"] for each in both) == ["dolly", "shaun"]
        assert white == [await cluster.get(meadow.key("dolly"))]
        everywhere = [each["metadata"]["namespace"] for each in await cluster.list(SHEEP)]
        assert everywhere.count(namespace) == 2
        assert await cluster.list(SHEEP, namespace="elsewhere") == []

    async def test_what_is_listed_says_of_which_kind_it_is(self, meadow: Meadow) -> None:
        await meadow.cluster.create(
            {"metadata": {"name": "c", "namespace": meadow.namespace}, "data": {"a": "1"}}, CONFIG_MAP
        )
        listed = await meadow.cluster.list(CONFIG_MAP, namespace=meadow.namespace)
        found = next(each for each in listed if each["metadata"]["name"] == "c")
        assert (found["apiVersion"], found["kind"]) == ("v1", "ConfigMap")

    async def test_objects_may_be_in_no_namespace(self, meadow: Meadow) -> None:
        name = meadow.namespace
        made = await meadow.cluster.create({"metadata": {"name": name}, "spec": {}}, HERD)
        assert await meadow.cluster.get(meadow.key(name, HERD)) == made
        assert name in {each["metadata"]["name"] for each in await meadow.cluster.list(HERD)}
        assert await meadow.cluster.delete(meadow.key(name, HERD))

    async def test_a_kind_may_be_missing(self, meadow: Meadow) -> None:
        cluster, ghost = meadow.cluster, meadow.sheep("casper")
        for asked in (
            lambda: cluster.list(GHOST),
            lambda: cluster.create(ghost, GHOST),
            lambda: cluster.apply(ghost, GHOST),
        ):
            with pytest.raises(KindMissing, match="ghosts"):
                await asked()
        key = meadow.key("casper", GHOST)
        assert await cluster.get(key) is None
        assert await cluster.patch(key, {"spec": {}}) is None
        assert await cluster.delete(key) is False

    async def test_a_namespace_that_is_not_there_is_refused(self, meadow: Meadow) -> None:
        stray = {"metadata": {"name": "stray", "namespace": "nowhere-at-all"}, "spec": {}}
        for write in (meadow.cluster.create, meadow.cluster.apply):
            with pytest.raises(ClusterRefused, match="nowhere-at-all") as refused:
                await write(stray, SHEEP)
            assert not isinstance(refused.value, KindMissing)

    async def test_the_log_of_nobody_is_empty(self, meadow: Meadow) -> None:
        nobody = Key(
            kind=Kind(group="", version="v1", name="Pod", plural="pods"),
            name="nobody",
            namespace=meadow.namespace,
        )
        assert await meadow.cluster.log_tail(nobody, container="mm", lines=5) == ""
