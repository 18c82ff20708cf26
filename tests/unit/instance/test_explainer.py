import asyncio

import pytest

from adapter.domain.errors import ModelCorrupt, RegistryUnavailable
from adapter.domain.ids import ModelId
from adapter.instance import explainer
from adapter.instance.explainer import RECALL_S_MAX
from adapter.mesh.constraints import TypeConstraints
from adapter.mesh.explain_facts import Explanation, State
from tests.unit.instance.meshed import MODEL_BYTES, AMesh, AnInstance, Given, a_mesh

IRIS = ModelId("iris")


async def explain(it: AnInstance, name: str = "iris") -> Explanation:
    return await it.parts.explainer.explain(name)


async def loaded_in(it: AnInstance, name: str = "iris", *, because: str = "a test asks") -> None:
    """As another instance has it loaded there."""
    await it.registered(name)
    await it.parts.peers.load(ModelId(name), record=b"", last_used_ms=0, wait=True, because=because)
    await asyncio.sleep(0.5)


async def test_of_a_name_that_nobody_knows_similar_ones_are_told(mesh: AMesh) -> None:
    for name in ("iris-v1", "iris-v2", "wine"):
        await mesh["b"].registered(name)
    told = await explain(mesh["a"], "iris-v3")
    assert (told.state, told.model) == (State.UNREGISTERED, "")
    assert "iris-v1" in told.cure
    assert "wine" not in told.cure


async def test_a_name_that_begins_otherwise_may_be_similar_too(instance: AnInstance) -> None:
    await instance.registered("iris-small")
    assert "iris-small" in (await explain(instance, "Iris-small")).cure


async def test_similar_names_are_looked_for_within_bounds(
    instance: AnInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explainer, "SIMILAR_LOOKED_AT", 3)
    for number in range(9):
        await instance.registered(f"a{number}")
    await instance.registered("iris-small")
    assert "iris-small" in (await explain(instance, "iris-smal")).cure, "those that begin alike come first"


async def test_a_copy_elsewhere_is_told_with_what_that_instance_recalls(mesh: AMesh) -> None:
    await loaded_in(mesh["b"], because="somebody wished so")
    told = await explain(mesh["a"])
    assert (told.state, told.model) == (State.LOADED, "iris")
    [copy] = told.copies
    assert (copy.instance, copy.state, copy.because) == ("b", "active", "somebody wished so")
    assert copy.size_bytes >= MODEL_BYTES
    assert told.next.startswith("forwarded to b: ")


async def test_all_instances_tell_alike(mesh: AMesh) -> None:
    await loaded_in(mesh["b"])
    told = [await explain(each) for each in mesh]
    assert len({(each.state, each.cause, each.cure, each.copies) for each in told}) == 1


async def test_why_the_last_copy_went_is_recalled_by_who_had_it() -> None:
    async with a_mesh("a", "b", given=Given(capacity_bytes=3 * MODEL_BYTES // 2)) as mesh:
        await loaded_in(mesh["b"])
        await asyncio.sleep(60)
        await loaded_in(mesh["b"], "rose")
        await asyncio.sleep(5)
        told = await explain(mesh["a"])
        assert (told.state, told.copies) == (State.COLD, ())
        assert "in b, was evicted to make room for rose" in told.cause


async def test_a_failed_load_is_told_with_its_error(mesh: AMesh) -> None:
    mesh["b"].runtime.load_failures[IRIS] = ModelCorrupt("unreadable")
    with pytest.raises(ModelCorrupt):
        await loaded_in(mesh["b"])
    await asyncio.sleep(0.5)
    told = await explain(mesh["a"])
    assert told.state is State.FAILED
    assert "DATA_LOSS: unreadable" in told.cause
    assert [copy.because for copy in told.copies] == ["DATA_LOSS: unreadable"]


async def test_who_does_not_answer_is_not_waited_for(mesh: AMesh) -> None:
    await loaded_in(mesh["b"])
    mesh.freeze("b")
    before_s = mesh["a"].clock.now_s()
    told = await explain(mesh["a"])
    assert mesh["a"].clock.now_s() - before_s <= 2 * RECALL_S_MAX
    [copy] = told.copies
    assert (copy.instance, copy.state, copy.because) == ("b", "loaded", ""), "as the registry has it"


async def test_many_instances_are_not_all_asked(mesh: AMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explainer, "ASKED_MAX", 1)
    await explain(mesh["a"], await mesh["a"].registered("iris"))
    assert sum(len(each.door.asked) for each in mesh) == 1


async def test_who_may_not_hold_it_is_told_with_the_labels_it_lacks(mesh: AMesh) -> None:
    mesh["a"].parts.ways.use(TypeConstraints.parse('{"sklearn": {"required": ["gpu"]}}'))
    told = await explain(mesh["a"], await mesh["a"].registered("iris"))
    assert told.state is State.NO_INSTANCE
    assert [each.partition(":")[0] for each in told.refused] == ["a", "b", "c"]
    assert all("gpu" in each for each in told.refused)


async def test_what_turned_out_too_big_is_told_with_what_would_help(instance: AnInstance) -> None:
    instance.runtime.sizes[await instance.registered("iris")] = 1_000_000
    await instance.infer("iris")
    await asyncio.sleep(60)
    told = await explain(instance)
    assert told.state is State.FITS_NOWHERE
    assert "OUT_OF_RANGE" in told.cause
    assert "memory" in told.cure


async def test_an_alias_is_told_with_the_model_that_it_stands_for(mesh: AMesh) -> None:
    await loaded_in(mesh["b"])
    await mesh["a"].aliased("newest", "iris")
    told = await explain(mesh["c"], "newest")
    assert (told.name, told.model, told.state) == ("newest", "iris", State.LOADED)
    assert told.cause.startswith("newest stands for iris: ")


async def test_an_alias_of_a_model_that_is_gone_says_so(instance: AnInstance) -> None:
    await instance.aliased("newest", await instance.registered("iris"))
    await instance.parts.records.delete(IRIS, unreferenced=False)
    told = await explain(instance, "newest")
    assert (told.state, told.model) == (State.UNREGISTERED, "iris")
    assert told.cause == "The alias newest stands for the model iris, which is not registered."


async def test_an_alias_that_could_not_move_tells_the_newest_failure_of_its_target(mesh: AMesh) -> None:
    await loaded_in(mesh["b"])
    await mesh["a"].aliased("newest", "iris")
    await mesh["a"].registered("rose")
    for each in mesh:
        each.runtime.load_failures[ModelId("rose")] = ModelCorrupt(f"unreadable in {each.name}")
    await mesh["a"].aliased("newest", "rose")
    await asyncio.sleep(60)
    told = await explain(mesh["a"], "newest")
    assert told.state is State.STUCK
    assert "unreadable in " in told.cause


async def test_without_the_registry_what_is_at_hand_is_told(mesh: AMesh) -> None:
    await loaded_in(mesh["a"])
    await explain(mesh["a"])
    mesh.registry.away = True
    assert (await explain(mesh["a"])).state is State.LOADED
    with pytest.raises(RegistryUnavailable):
        await explain(mesh["a"], "nobody")
