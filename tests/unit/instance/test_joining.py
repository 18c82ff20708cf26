"""A whole mesh, joined as the program joins it: what only shows when all parts play together."""

import asyncio
from collections import Counter

import pytest

from adapter.domain.errors import Code, InvalidRequest
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyState
from adapter.domain.status import ModelStatus
from adapter.mesh.vmodels import Split
from tests.unit.instance.meshed import INFO, PREFIX, AMesh, Given, a_mesh

IRIS = ModelId("iris")
NEWEST = [("mm-vmodel-id", "newest")]


def seen(mesh: AMesh, name: str) -> list[str]:
    """The instances that one of them sees."""
    return sorted(mesh[name].parts.state.view.instances)


async def test_what_is_registered_at_one_is_answered_by_all(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    for each in mesh:
        answer = await each.infer("iris")
        assert (answer.code, answer.text) == (Code.OK, "")
    assert mesh.loads("iris") == 1


async def test_all_report_the_same_of_a_model(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    assert {await each.status("iris") for each in mesh} == {ModelStatus.NOT_LOADED}
    await mesh["b"].infer("iris")
    await asyncio.sleep(0.5)
    assert {await each.status("iris") for each in mesh} == {ModelStatus.LOADED}
    reports = [await each.models.status(IRIS) for each in mesh]
    assert {report.copies[0].instance for report in reports} == set(mesh.held("iris"))


async def test_calls_for_an_alias_follow_it_everywhere(mesh: AMesh) -> None:
    for name in ("v1", "v2"):
        await mesh["a"].registered(name)
    await mesh["a"].aliased("newest", "v1")
    for each in mesh:
        assert (await each.ask(metadata=NEWEST)).code is Code.OK
    await mesh["b"].aliased("newest", "v2", force=True)
    await asyncio.sleep(1)
    for each in mesh:
        assert (await each.ask(metadata=NEWEST)).code is Code.OK
    asked = Counter(model for each in mesh for model in each.inference.models)
    assert asked == {"v1": 3, "v2": 3}


async def test_a_canary_gets_its_share_and_a_shadow_a_copy_of_each_call(mesh: AMesh) -> None:
    for name in ("v1", "v2", "shadow"):
        await mesh["a"].registered(name)
    split = Split(canary="v2", canary_percent=20, shadow="shadow")
    await mesh["a"].aliased("newest", "v1", split=split)
    for _ in range(100):
        assert (await mesh["b"].ask(b"question", metadata=NEWEST)).message == b"question"
    await asyncio.sleep(1)
    asked = Counter(model for each in mesh for model in each.inference.models)
    assert asked["shadow"] == asked["v1"] + asked["v2"] == 100
    assert asked["v2"] == pytest.approx(20, abs=2), "a call that has to wait for its model draws anew"


async def test_so_many_copies_as_are_asked_for(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    report = await mesh["b"].models.ensure_copies(IRIS, copies=2, sync=True, last_used_ms=0)
    assert (report.status, len(report.copies), len(mesh.held("iris"))) == (ModelStatus.LOADED, 2, 2)


# Who is there.


async def test_all_see_all(mesh: AMesh) -> None:
    for each in mesh:
        addresses = {id_: state.record.address for id_, state in each.parts.ways.instances().items()}
        assert addresses == {"a": "a:8080", "b": "b:8080", "c": "c:8080"}


async def test_who_is_killed_is_seen_until_its_lease_ends(mesh: AMesh) -> None:
    await mesh["c"].registered("iris")
    await mesh["c"].load_here("iris")
    await asyncio.sleep(1)
    await mesh.kill("c")
    await asyncio.sleep(1)
    assert seen(mesh, "a") == ["a", "b", "c"]
    await asyncio.sleep(mesh["a"].settings.lease_s)
    assert seen(mesh, "a") == ["a", "b"]
    assert mesh["a"].sees("iris") == {}


async def test_who_leaves_is_gone_at_once(mesh: AMesh) -> None:
    await mesh.leave("c")
    await asyncio.sleep(0.1)
    assert seen(mesh, "a") == ["a", "b"]


async def test_two_cannot_have_one_id(mesh: AMesh) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await mesh.start("b", Given(peer_port=8081))
    assert caught.group_contains(InvalidRequest, match="this mesh has the id b and is alive")
    assert (await mesh["a"].parts.links.channels.hello("b:8080"))[0] == "b"


async def test_who_comes_back_takes_its_place_again_before_its_lease_has_ended(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    await mesh["b"].load_here("iris")
    await mesh.kill("b")
    began_s = mesh["a"].clock.now_s()
    await mesh.start("b")
    assert mesh["a"].clock.now_s() - began_s < 2.0
    await asyncio.sleep(0.1)
    assert mesh["a"].sees("iris") == {}
    assert (await mesh["a"].infer("iris")).code is Code.OK


async def test_copies_elsewhere_are_seen_a_moment_later(mesh: AMesh) -> None:
    told: list[str] = []
    mesh["a"].parts.state.on_copies.append(told.append)
    await mesh["c"].load_here("some/model")
    await asyncio.sleep(0.1)
    assert mesh["a"].sees("some/model")["c"].state is CopyState.LOADED
    assert told == ["some/model"]


async def test_a_bad_record_hides_no_other(mesh: AMesh) -> None:
    bad = {f"{PREFIX}instances/z": b"\xff", f"{PREFIX}copies/iris/b": b"{"}
    await mesh.registry.commit(bad, guards={})
    await mesh["c"].load_here("iris")
    await asyncio.sleep(0.5)
    assert seen(mesh, "a") == ["a", "b", "c"]
    assert mesh["a"].sees("iris").keys() == {"c"}


# What becomes of the registry.


async def test_while_the_registry_is_away_all_stays_as_it_was(mesh: AMesh) -> None:
    await mesh["c"].load_here("iris")
    await asyncio.sleep(1)
    mesh.registry.away = True
    await mesh["b"].loader.load(ModelId("mnist"), INFO, used_s=0.0)
    await asyncio.sleep(120)
    assert seen(mesh, "a") == ["a", "b", "c"]
    assert mesh["a"].sees("iris").keys() == {"c"}
    assert mesh["b"].sees("mnist").keys() == {"b"}, "what is here needs no registry"
    mesh.registry.away = False
    await asyncio.sleep(20)
    assert mesh["a"].sees("mnist").keys() == {"b"}
    assert seen(mesh, "a") == ["a", "b", "c"]


async def test_a_registry_that_comes_back_empty_is_filled_again(mesh: AMesh) -> None:
    await mesh["c"].load_here("iris")
    await asyncio.sleep(1)
    mesh.registry.wipe()
    await asyncio.sleep(20)
    assert mesh.keys("instances/") == ["a", "b", "c"]
    assert mesh.keys("copies/") == ["iris/c"]
    for each in mesh:
        assert seen(mesh, each.name) == ["a", "b", "c"]
        assert each.sees("iris").keys() == {"c"}
    assert sum(each.parts.state.is_leader for each in mesh) == 1


async def test_what_cannot_be_told_any_more_is_read_anew(mesh: AMesh) -> None:
    await mesh["c"].load_here("iris")
    await asyncio.sleep(1)
    mesh.registry.away = True
    await asyncio.sleep(0.1)
    mesh.registry.revision += 1
    mesh.registry.compact()
    mesh.registry.away = False
    await asyncio.sleep(1)
    assert mesh["a"].sees("iris").keys() == {"c"}
    assert mesh["a"].parts.state.view.instances[InstanceId("c")].copies == 1


async def test_what_others_do_to_our_keys_is_put_right(mesh: AMesh) -> None:
    await mesh["c"].load_here("iris")
    await asyncio.sleep(1)
    await mesh.registry.commit({f"{PREFIX}copies/iris/c": None}, guards={})
    await asyncio.sleep(1)
    assert mesh.keys("copies/") == ["iris/c"]
    assert mesh["a"].sees("iris").keys() == {"c"}


async def test_a_mesh_that_is_only_read_serves_what_is_registered() -> None:
    async with a_mesh("a") as mesh:
        await mesh["a"].registered("iris")
        await mesh.start("b", Given(settings={"kv_read_only": True}))
        assert (await mesh["b"].infer("iris")).code is Code.OK


async def test_static_models_are_there_when_an_instance_has_started() -> None:
    told = '[{"modelId": "iris", "modelInfo": {"type": "sklearn", "path": "x"}, "ensureLoaded": true}]'
    async with a_mesh("a", "b", given=Given(settings={"static_models": told})) as mesh:
        assert mesh.loads("iris") == 1
        assert mesh.keys("registry/") == ["iris"]
