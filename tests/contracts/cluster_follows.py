"""What whoever follows a kind is told, of every cluster."""

import asyncio

from adapter.cluster.cluster import Changed
from tests.contracts.cluster import GHOST, SHEEP, Followed, Meadow, define, following, known, undefine
from tests.contracts.cluster_writes import WritingContract


class ClusterContract(WritingContract):
    """Following objects, and all the rest."""

    async def test_first_all_there_is_then_each_change(self, meadow: Meadow) -> None:
        cluster, key = meadow.cluster, meadow.key("dolly")
        await meadow.born("shaun")
        async with following(cluster, SHEEP, namespace=meadow.namespace) as followed:
            assert await followed.listed() == ["shaun"]
            made = await meadow.born("dolly")
            assert await followed.changed() == Changed(key=key, manifest=made)
            after = await cluster.patch_status(key, {"status": {"grazing": True}})
            assert await followed.changed() == Changed(key=key, manifest=known(after))
            await cluster.delete(key)
            assert await followed.changed() == Changed(key=key, manifest=None)

    async def test_the_deletion_of_what_is_held_is_a_change(self, meadow: Meadow) -> None:
        cluster, key = meadow.cluster, meadow.key("dolly")
        await meadow.born("dolly", finalizers=["tests.remesh.dev/shear"])
        async with following(cluster, SHEEP, namespace=meadow.namespace) as followed:
            await followed.listed()
            await cluster.delete(key)
            marked = await followed.changed()
            assert known(marked.manifest)["metadata"]["deletionTimestamp"]
            await cluster.patch(key, {"metadata": {"finalizers": []}})
            assert await followed.changed() == Changed(key=key, manifest=None)

    async def test_other_namespaces_are_not_told_of(self, meadow: Meadow) -> None:
        elsewhere = Meadow(meadow.cluster, "default")
        async with following(meadow.cluster, SHEEP, namespace=meadow.namespace) as followed:
            assert await followed.listed() == []
            await elsewhere.born(f"stray-{meadow.namespace}")
            await meadow.born("dolly")
            assert (await followed.changed()).key == meadow.key("dolly")

    async def test_all_namespaces_may_be_followed(self, meadow: Meadow) -> None:
        async with following(meadow.cluster, SHEEP, namespace=None) as followed:
            name = f"only-{meadow.namespace}"
            await meadow.born(name)
            assert (await followed.until(name))[name]["metadata"]["namespace"] == meadow.namespace

    async def test_many_changes_are_told_in_their_order(self, meadow: Meadow) -> None:
        async with following(meadow.cluster, SHEEP, namespace=meadow.namespace) as followed:
            await followed.listed()
            for number in range(30):
                await meadow.born(f"s-{number}")
            assert [(await followed.changed()).key.name for _ in range(30)] == [f"s-{n}" for n in range(30)]

    async def test_whatever_people_write_arrives(self, meadow: Meadow) -> None:
        odd = {"note": "a\x85b\u2028c\nd\u2029 \U0001f411", "empty": "", "null": None}
        async with following(meadow.cluster, SHEEP, namespace=meadow.namespace) as followed:
            await followed.listed()
            await meadow.born("dolly", {"odd": odd})
            assert known((await followed.changed()).manifest)["spec"] == {"odd": odd}

    async def test_a_kind_that_is_missing_is_waited_for(self, meadow: Meadow) -> None:
        async with following(meadow.cluster, GHOST, namespace=meadow.namespace) as followed:
            waiting = asyncio.ensure_future(followed.listed())
            await asyncio.sleep(0.1)
            assert not waiting.done()
            await define(meadow.cluster, GHOST)
            try:
                assert await waiting == []
                await self._one_is_told(meadow, followed)
            finally:
                await undefine(meadow.cluster, GHOST)

    async def _one_is_told(self, meadow: Meadow, followed: Followed) -> None:
        await meadow.cluster.create(meadow.sheep("casper"), GHOST)
        assert (await followed.changed()).key == meadow.key("casper", GHOST)
