"""One declared model: what its registration depends on, and how it is held. The rest: `test_manager`."""

from dataclasses import replace
from typing import Any

import pytest

from adapter.controller.manifests.runtimes import read_runtime
from adapter.controller.manifests.spec_hash import target_id
from adapter.controller.model_work import FINALIZER, fingerprint, resolved
from adapter.controller.verdicts import Chosen, NoRuntime, Refusal, Selection
from adapter.domain.kinds import INFERENCE_SERVICE, PREDICTOR, Key
from adapter.domain.specs import DeploymentMode, FailureReason, Identity, ModelFormat, ModelSpec, Source
from tests.unit.controller.managed import NS, AController, a_controller, isvc, predictor, runtime

THEIRS = "example.com/theirs"

MODEL = ModelSpec(
    identity=Identity(name="iris", namespace=NS),
    source=Source.INFERENCE_SERVICE,
    format=ModelFormat(name="sklearn"),
)
STANDARD = replace(MODEL, mode=DeploymentMode.STANDARD)


def chosen(*names: str, type_: str = "mt:sklearn", refusals: tuple[Refusal, ...] = ()) -> Chosen:
    runtimes = tuple(read_runtime(runtime(name)) for name in names)
    return Chosen(runtimes=runtimes, type=type_, refusals=refusals)


def none(*because: str, reason: FailureReason = FailureReason.NO_SUPPORTING_RUNTIME) -> NoRuntime:
    refusals = tuple(Refusal(runtime=f"r{number}", because=text) for number, text in enumerate(because))
    return NoRuntime(type="mt:sklearn", reason=reason, message="no runtime", refusals=refusals)


# What a registration depends on.


@pytest.mark.parametrize(
    ("model", "selection", "runtime_"),
    [
        pytest.param(MODEL, chosen("a", "b"), None, id="in a mesh any of them serves it"),
        pytest.param(STANDARD, chosen("a", "b"), "a", id="by KServe's rules the first does"),
        pytest.param(replace(STANDARD, runtime="b"), chosen("b"), "b", id="that was named"),
        pytest.param(STANDARD, none(), None, id="none does"),
        pytest.param(STANDARD, None, None, id="nothing was chosen"),
    ],
)
def test_a_model_is_registered_with_the_runtime_that_serves_it(
    model: ModelSpec, selection: Selection | None, runtime_: str | None
) -> None:
    assert resolved(model, selection).runtime == runtime_


def test_another_runtime_makes_it_another_model() -> None:
    one, other = (resolved(STANDARD, chosen(name)) for name in ("a", "b"))
    assert target_id(one) != target_id(other)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(None, chosen("a"), id="one comes"),
        pytest.param(chosen("a"), chosen("a", "b"), id="one more"),
        pytest.param(chosen("a", "b"), chosen("b", "a"), id="another first"),
        pytest.param(chosen("a"), chosen("a", type_="rt:a"), id="another type"),
        pytest.param(chosen("a"), none(), id="none any more"),
        pytest.param(none("off"), none("another format"), id="for another cause"),
        pytest.param(none(), none(reason=FailureReason.RUNTIME_DISABLED), id="for another reason"),
    ],
)
def test_what_a_status_or_a_registration_tells_is_in_the_fingerprint(
    before: Selection | None, after: Selection | None
) -> None:
    assert fingerprint(before) != fingerprint(after)


def test_why_others_do_not_serve_it_is_nobodys_matter() -> None:
    refused = (Refusal(runtime="c", because="it is disabled"),)
    assert fingerprint(chosen("a")) == fingerprint(chosen("a", refusals=refused))


# How it is held.


def finalizers(it: AController, name: str) -> list[str] | None:
    """None: the object is gone."""
    manifest = it.cluster.now(it.key(name, INFERENCE_SERVICE))
    return None if manifest is None else list(manifest["metadata"].get("finalizers") or ())


def held(manifest: dict[str, Any], *by: str) -> dict[str, Any]:
    manifest["metadata"]["finalizers"] = list(by)
    return manifest


async def test_it_is_held_before_the_mesh_hears_of_it() -> None:
    async with a_controller(runtime("server")) as it:
        heard_before: list[int] = []
        it.cluster.before = lambda _verb, _key: heard_before.append(len(it.mesh.asked))
        it.cluster.put(held(isvc("iris"), THEIRS))
        await it.settle()
        assert heard_before[0] == 0
        assert finalizers(it, "iris") == [THEIRS, FINALIZER]
        assert (NS, "iris") in it.mesh.vmodels


async def test_while_others_change_the_object_it_is_tried_again() -> None:
    async with a_controller(runtime("server")) as it:
        quicker = iter([THEIRS])

        def change(verb: str, _key: Key) -> None:
            if verb == "patch" and (by := next(quicker, None)):
                it.cluster.put(held(isvc("iris"), by))

        it.cluster.before = change
        it.cluster.put(isvc("iris"))
        await it.settle()
        assert finalizers(it, "iris") == [THEIRS, FINALIZER]
        assert it.state("iris")[0] == "Loaded"


async def test_what_others_hold_is_let_go_by_us_alone() -> None:
    async with a_controller(runtime("server"), held(isvc("iris"), THEIRS)) as it:
        it.cluster.drop(it.key("iris", INFERENCE_SERVICE))
        await it.settle()
        assert finalizers(it, "iris") == [THEIRS]
        assert it.mesh.vmodels == {}
        await it.cluster.patch(it.key("iris", INFERENCE_SERVICE), {"metadata": {"finalizers": None}})
        await it.settle()
        assert finalizers(it, "iris") is None


async def test_it_is_let_go_though_others_change_the_object() -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        times = iter(range(2))

        def change(verb: str, key: Key) -> None:
            if verb == "patch" and next(times, None) is not None and (there := it.cluster.now(key)):
                there["metadata"]["labels"] = {"changed": str(len(it.cluster.writes))}
                it.cluster.put(there)

        it.cluster.before = change
        it.cluster.drop(it.key("iris", INFERENCE_SERVICE))
        await it.until(lambda: finalizers(it, "iris") is None)


async def test_one_that_becomes_kserves_is_forgotten_and_let_go() -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        theirs = held(isvc("iris"), FINALIZER, THEIRS)
        theirs["metadata"]["annotations"] = {"serving.kserve.io/deploymentMode": "Standard"}
        it.cluster.put(theirs)
        await it.settle()
        assert it.mesh.vmodels == {}
        assert finalizers(it, "iris") == [THEIRS]
        it.cluster.writes.clear()
        it.manager.add(*it.manager._models.chosen)
        await it.settle()
        assert it.cluster.writes == []


async def test_one_that_cannot_be_read_can_go() -> None:
    bad = isvc("bad")
    bad["spec"] = {"predictor": {"nonsense": {}}}
    async with a_controller(runtime("server"), bad) as it:
        it.cluster.drop(it.key("bad", INFERENCE_SERVICE))
        await it.settle()
        assert finalizers(it, "bad") is None


async def test_in_a_namespace_that_is_looked_after_no_more_it_can_go() -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        it.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS}})
        await it.settle()
        it.cluster.drop(it.key("iris", INFERENCE_SERVICE))
        await it.settle()
        assert finalizers(it, "iris") is None


async def test_one_of_two_kinds_is_let_go_without_harm_to_the_other() -> None:
    async with a_controller(runtime("server"), isvc("iris")) as it:
        it.cluster.put(predictor("iris"))
        await it.settle()
        it.cluster.drop(it.key("iris", PREDICTOR))
        await it.settle()
        assert it.cluster.now(it.key("iris", PREDICTOR)) is None
        assert it.mesh.vmodels[NS, "iris"].owner == "isvc"
