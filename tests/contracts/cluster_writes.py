"""What every cluster must do when objects are changed, and when they go."""

from typing import Any

import pytest

from adapter.cluster.cluster import Cluster, ClusterRefused, ObjectConflict
from adapter.domain.kinds import CONFIG_MAP
from tests.contracts.cluster import SHEEP, Meadow, ReadingContract, known, version


class WritingContract(ReadingContract):
    """Changing objects. `other` is the same cluster for another manager of fields."""

    # In place of what is there.

    async def test_only_the_latest_is_replaced(self, meadow: Meadow) -> None:
        made = await meadow.born("dolly")
        after = await meadow.cluster.replace({**made, "spec": {"wool": "grey"}}, SHEEP)
        assert after["spec"] == {"wool": "grey"}
        assert version(after) != version(made)
        with pytest.raises(ObjectConflict, match="dolly"):
            await meadow.cluster.replace({**made, "spec": {"wool": "black"}}, SHEEP)
        assert await meadow.cluster.get(meadow.key("dolly")) == after

    async def test_what_is_gone_is_not_replaced(self, meadow: Meadow) -> None:
        made = await meadow.born("dolly")
        await meadow.cluster.delete(meadow.key("dolly"))
        with pytest.raises(ObjectConflict):
            await meadow.cluster.replace(made, SHEEP)

    async def test_nothing_is_replaced_blindly(self, meadow: Meadow) -> None:
        await meadow.born("dolly")
        with pytest.raises(ClusterRefused, match="resourceVersion"):
            await meadow.cluster.replace(meadow.sheep("dolly"), SHEEP)

    # Merge patches.

    async def test_a_patch_changes_what_it_names(self, meadow: Meadow) -> None:
        await meadow.born("dolly", {"wool": "white", "age": 6, "legs": [1, 2, 3, 4]})
        patch = {"spec": {"age": None, "legs": [1], "name": {"first": "Dolly"}}}
        after = known(await meadow.cluster.patch(meadow.key("dolly"), patch))
        assert after["spec"] == {"wool": "white", "legs": [1], "name": {"first": "Dolly"}}
        assert after["metadata"]["generation"] == 2

    async def test_a_patch_may_name_what_it_was_made_for(self, meadow: Meadow) -> None:
        made = await meadow.born("dolly")
        key = meadow.key("dolly")
        patch = {"metadata": {"resourceVersion": version(made)}, "spec": {"wool": "grey"}}
        assert known(await meadow.cluster.patch(key, patch))["spec"] == {"wool": "grey"}
        for ask in (meadow.cluster.patch, meadow.cluster.patch_status):
            with pytest.raises(ObjectConflict):
                await ask(key, {**patch, "status": {"ill": True}})

    async def test_a_patch_that_changes_nothing_makes_no_version(self, meadow: Meadow) -> None:
        made = await meadow.born("dolly")
        after = known(await meadow.cluster.patch(meadow.key("dolly"), {"spec": {"wool": "white"}}))
        assert version(after) == version(made)

    # The status.

    async def test_the_status_is_written_on_its_own(self, meadow: Meadow) -> None:
        cluster, key = meadow.cluster, meadow.key("dolly")
        made = await cluster.create({**meadow.sheep("dolly"), "status": {"grazing": True}}, SHEEP)
        assert "status" not in made
        after = known(await cluster.patch_status(key, {"status": {"grazing": True, "where": "hill"}}))
        assert after["status"] == {"grazing": True, "where": "hill"}
        assert after["metadata"]["generation"] == 1
        await cluster.patch(key, {"spec": {"wool": "grey"}, "status": {"grazing": False}})
        await cluster.patch_status(key, {"status": {"where": None}, "spec": {"wool": "black"}})
        final = known(await cluster.get(key))
        assert (final["spec"], final["status"]) == ({"wool": "grey"}, {"grazing": True})

    # Server-side apply.

    async def test_apply_makes_what_is_not_there(self, meadow: Meadow) -> None:
        made = await meadow.cluster.apply(meadow.sheep("dolly"), SHEEP)
        assert made["spec"] == {"wool": "white"}
        assert await meadow.cluster.get(meadow.key("dolly")) == made

    async def test_the_same_again_is_no_change(self, meadow: Meadow) -> None:
        made = await meadow.cluster.apply(meadow.sheep("dolly"), SHEEP)
        assert version(await meadow.cluster.apply(meadow.sheep("dolly"), SHEEP)) == version(made)

    async def test_what_is_applied_no_more_is_removed(self, meadow: Meadow) -> None:
        first = meadow.sheep("dolly", {"wool": "white", "age": 6}, labels={"a": "1", "b": "1"})
        await meadow.cluster.apply(first, SHEEP)
        after = await meadow.cluster.apply(meadow.sheep("dolly", {"age": 7}, labels={"b": "1"}), SHEEP)
        assert after["spec"] == {"age": 7}
        assert after["metadata"]["labels"] == {"b": "1"}

    async def test_what_others_wrote_stays(self, meadow: Meadow, other: Cluster) -> None:
        key = meadow.key("dolly")
        await meadow.cluster.apply(meadow.sheep("dolly", {"wool": "white"}), SHEEP)
        await other.patch(key, {"spec": {"age": 6}, "metadata": {"annotations": {"seen": "yes"}}})
        after = await meadow.cluster.apply(meadow.sheep("dolly", {"wool": "grey"}), SHEEP)
        assert after["spec"] == {"wool": "grey", "age": 6}
        assert after["metadata"]["annotations"] == {"seen": "yes"}

    async def test_what_others_apply_too_stays(self, meadow: Meadow, other: Cluster) -> None:
        both = meadow.sheep("dolly", {"wool": "white", "age": 6})
        await meadow.cluster.apply(both, SHEEP)
        await other.apply(both, SHEEP)
        after = await meadow.cluster.apply(meadow.sheep("dolly", {"wool": "white"}), SHEEP)
        assert after["spec"] == {"wool": "white", "age": 6}

    async def test_apply_takes_fields_from_others(self, meadow: Meadow, other: Cluster) -> None:
        await other.apply(meadow.sheep("dolly", {"wool": "black"}), SHEEP)
        after = await meadow.cluster.apply(meadow.sheep("dolly", {"wool": "white"}), SHEEP)
        assert after["spec"] == {"wool": "white"}

    async def test_built_in_kinds_can_be_applied(self, meadow: Meadow) -> None:
        def settings(**data: str) -> dict[str, Any]:
            return {"metadata": {"name": "c", "namespace": meadow.namespace}, "data": data}

        await meadow.cluster.apply(settings(a="1", b="1"), CONFIG_MAP)
        assert (await meadow.cluster.apply(settings(b="2"), CONFIG_MAP))["data"] == {"b": "2"}

    # The end.

    async def test_what_is_deleted_is_gone(self, meadow: Meadow) -> None:
        await meadow.born("dolly")
        assert await meadow.cluster.delete(meadow.key("dolly")) is True
        assert await meadow.cluster.get(meadow.key("dolly")) is None

    async def test_only_the_one_that_is_meant_is_deleted(self, meadow: Meadow) -> None:
        made = await meadow.born("dolly")
        assert await meadow.cluster.delete(meadow.key("dolly"), uid="of-another") is False
        assert await meadow.cluster.delete(meadow.key("dolly"), uid=made["metadata"]["uid"]) is True

    async def test_finalizers_hold_it(self, meadow: Meadow) -> None:
        cluster, key = meadow.cluster, meadow.key("dolly")
        await meadow.born("dolly", finalizers=["tests.remesh.dev/shear"])
        assert await cluster.delete(key) is True
        held = known(await cluster.get(key))
        assert held["metadata"]["deletionTimestamp"]
        with pytest.raises(ClusterRefused, match="finalizers"):
            await cluster.patch(key, {"metadata": {"finalizers": ["tests.remesh.dev/more"]}})
        await cluster.patch(key, {"metadata": {"finalizers": None}})
        assert await cluster.get(key) is None

    async def test_what_it_owns_goes_with_it(self, meadow: Meadow) -> None:
        def settings(name: str, **metadata: Any) -> dict[str, Any]:
            return {"metadata": {"name": name, "namespace": meadow.namespace, **metadata}}

        made = await meadow.cluster.create(settings("mother"), CONFIG_MAP)
        told = {name: made[name] for name in ("apiVersion", "kind")}
        owner = {**told, "name": "mother", "uid": made["metadata"]["uid"]}
        await meadow.cluster.create(settings("child", ownerReferences=[owner]), CONFIG_MAP)
        await meadow.cluster.create(settings("other"), CONFIG_MAP)
        await meadow.cluster.delete(meadow.key("mother", CONFIG_MAP))
        await meadow.gone("child", CONFIG_MAP)
        assert await meadow.cluster.get(meadow.key("other", CONFIG_MAP)) is not None
