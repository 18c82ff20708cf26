from typing import Any

import pytest

from adapter.controller.manifests.complaints import BadManifest
from adapter.controller.manifests.models import read_model
from adapter.controller.manifests.runtimes import read_runtime
from adapter.controller.one_model import for_model, is_for_one_model, with_one_of_its_own
from adapter.controller.verdicts import Chosen, NoRuntime
from adapter.domain.kinds import INFERENCE_SERVICE
from adapter.domain.specs import FailureReason, ModelSpec, RuntimeSpec
from tests.unit.controller.managed import NS, a_controller, isvc, runtime


def template(*args: str) -> dict[str, Any]:
    return runtime("server", containers=[{"name": "server", "image": "server:1", "args": list(args)}])


def a_runtime(*args: str) -> RuntimeSpec:
    return read_runtime(template(*args))


def a_model(name: str = "iris") -> ModelSpec:
    model = read_model(standard(name), every_mode=True)
    assert model is not None
    return model


def standard(name: str) -> dict[str, Any]:
    """One that names its runtime, and is not ModelMesh's."""
    manifest = isvc(name, runtime="server")
    del manifest["metadata"]["annotations"]
    manifest["metadata"]["labels"] = {"team": "flowers"}
    return manifest


def chosen(spec: RuntimeSpec) -> Chosen:
    return Chosen(runtimes=(spec,), type="rt:server")


@pytest.mark.parametrize(
    ("argument", "is_one"), [("--name={{.Name}}", True), ("--name=iris", False), ("{{ .Labels.team }}", True)]
)
def test_a_runtime_with_something_to_be_filled_in_is_for_one_model(argument: str, is_one: bool) -> None:
    assert is_for_one_model(a_runtime(argument)) is is_one


def test_it_is_filled_in_from_the_models_metadata_and_named_after_both() -> None:
    own = for_model(a_runtime("--name={{.Name}}", "--team={{.Labels.team}}"), a_model())
    assert (own.name, own.identity.namespace) == ("server--iris", NS)
    assert own.containers[0]["args"] == ["--name=iris", "--team=flowers"]


def test_what_cannot_be_filled_in_is_told_with_its_place() -> None:
    spec = a_runtime("--owner={{.Labels.owner}}")
    with pytest.raises(BadManifest, match=r"spec.containers\[0\].args\[0\]: .*add it"):
        for_model(spec, a_model())
    refused = with_one_of_its_own(chosen(spec), a_model())
    assert isinstance(refused, NoRuntime)
    assert refused.reason is FailureReason.INVALID_PREDICTOR_SPEC
    assert "failed to replace placeholders in serving runtime server" in refused.message


def test_a_choice_without_templates_stays_as_it_is() -> None:
    plain = chosen(a_runtime("--name=iris"))
    assert with_one_of_its_own(plain, a_model()) is plain


async def test_each_model_has_a_runtime_of_its_own_for_as_long_as_it_is_there() -> None:
    models = [standard("iris"), standard("rose")]
    async with a_controller(template("--name={{.Name}}"), *models, every_mode=True) as it:
        ran = {name: plan.runtime.containers[0]["args"] for (_, name), plan in it.fleet.plans.items()}
        assert ran == {"server--iris": ["--name=iris"], "server--rose": ["--name=rose"]}
        assert it.state("iris") == it.state("rose") == ("Loaded", "", "UpToDate")
        assert {asked.info and asked.info.type for _, asked in it.mesh.asked} == {
            "rt:server--iris",
            "rt:server--rose",
        }
        await it.cluster.delete(it.key("rose", INFERENCE_SERVICE))
        await it.settle()
        assert {name for _, name in it.fleet.plans} == {"server--iris"}
