"""What lies in `deploy/` is well formed, and says what the programs understand; no tool is needed to tell."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter.cli.settings import settings_table
from adapter.controller.manifests.models import read_model
from adapter.controller.manifests.runtimes import read_runtime
from adapter.controller.reading_config import config_in
from adapter.controller.settings import ControllerSettings
from adapter.domain.kinds import CLUSTER_SERVING_RUNTIME, INFERENCE_SERVICE, PREDICTOR, SERVING_RUNTIME, Kind
from adapter.instance.settings import InstanceSettings
from tests.tidy.tree import ROOT, complain, named

DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm"
FILES = [path for path in sorted(DEPLOY.rglob("*.yaml")) if not path.is_relative_to(CHART)]
KUSTOMIZATIONS = [path for path in FILES if path.name == "kustomization.yaml"]
EXAMPLES = (DEPLOY / "examples" / "isvcs", DEPLOY / "examples" / "predictors")
ONE_BY_ONE = (*EXAMPLES, DEPLOY / "base" / "patches")
"""What everybody takes in, or applies, as they like."""

OF_KSERVE = {
    *("lgbserver", "mlserver", "paddleserver", "pmmlserver", "sklearnserver"),
    *("tensorflow-serving", "torchserve", "tritonserver", "xgbserver"),
}
OURS = "remesh:0.1.0"


def documents(path: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def objects() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in FILES:
        yield from ((path, each) for each in documents(path) if "kind" in each)


def containers() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Where it stands, the pod and the container: of Deployments and Jobs, whole ones and patches."""
    for path, manifest in objects():
        if manifest["kind"] in ("Deployment", "Job"):
            pod = manifest["spec"]["template"].get("spec", {})
            for container in pod.get("containers", []):
                yield f"{named(path)}: {container['name']}", pod, container


def runtimes(name: str) -> dict[str, dict[str, Any]]:
    """The runtimes of a set, by name."""
    folder = DEPLOY / "runtimes" / name
    found = [each for path in folder.glob("*.yaml") if path not in KUSTOMIZATIONS for each in documents(path)]
    return {each["metadata"]["name"]: each for each in found}


ALL_RUNTIMES = {
    name: manifest for each in ("kserve", "modelmesh", "remesh") for name, manifest in runtimes(each).items()
}


def test_every_kustomization_names_files_that_are_there() -> None:
    complain(
        [
            f"{named(path)}: {name}"
            for path in KUSTOMIZATIONS
            for name in _named_by(path)
            if not (path.parent / name).exists()
        ],
        remedy="These are not there:",
    )


def test_no_file_is_forgotten() -> None:
    known = {(path.parent / name).resolve() for path in KUSTOMIZATIONS for name in _named_by(path)}
    complain(
        [
            named(path)
            for path in FILES
            if path not in KUSTOMIZATIONS and path not in known and path.parent not in ONE_BY_ONE
        ],
        remedy="No kustomization takes these in:",
    )


def _named_by(path: Path) -> Iterator[str]:
    content = documents(path)[0]
    yield from content.get("resources", [])
    yield from (
        each["path"] for key in ("patches", "replacements") for each in content.get(key, []) if "path" in each
    )
    yield from (name for each in content.get("configMapGenerator", []) for name in each["files"])


def test_images_have_a_version() -> None:
    images = {container["image"] for _, _, container in containers() if "image" in container}
    images |= {each["image"] for runtime in ALL_RUNTIMES.values() for each in runtime["spec"]["containers"]}
    complain(
        [image for image in images if ":" not in image or image.endswith(":latest")],
        remedy="Say which version:",
    )


def test_instances_are_told_only_what_they_know() -> None:
    known = {name for name, _, _ in settings_table(InstanceSettings)}
    complain(
        [
            f"{where}: {variable['name']}"
            for where, _, container in containers()
            if container["name"] == "mm"
            for variable in container.get("env", [])
            if variable["name"] not in known
        ],
        remedy="`remesh instance` has no such settings:",
    )


def test_the_controller_is_told_only_what_it_knows() -> None:
    known = {name for name, _, _ in settings_table(ControllerSettings)}
    told = {
        variable["name"]
        for _, _, container in containers()
        if container["name"] == "manager"
        for variable in container["env"]
    }
    assert told <= known


def test_the_controllers_defaults_can_be_read() -> None:
    content = (DEPLOY / "controller" / "config-defaults.yaml").read_text()
    config = config_in({"data": {"config.yaml": content}})
    assert str(config.image) == OURS
    assert (config.pods_per_runtime, config.service_name) == (2, "modelmesh-serving")


def test_whole_pods_of_ours_have_no_privilege() -> None:
    wrong = []
    for where, pod, container in containers():
        if "image" not in container or container["image"].startswith("example/"):
            continue
        limits = container.get("securityContext", {})
        has = (
            limits.get("allowPrivilegeEscalation") is False
            and limits.get("readOnlyRootFilesystem") is True
            and limits.get("capabilities") == {"drop": ["ALL"]}
            and (limits | pod.get("securityContext", {})).get("runAsNonRoot") is True
            and pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        )
        wrong += [] if has else [where]
    complain(wrong, remedy="Restrict these:")


@pytest.mark.parametrize(
    "kind", [SERVING_RUNTIME, CLUSTER_SERVING_RUNTIME, PREDICTOR, INFERENCE_SERVICE], ids=str
)
def test_a_kind_is_defined_as_it_is_spoken_of(kind: Kind) -> None:
    (definition,) = documents(DEPLOY / "crds" / f"{kind.plural}.yaml")
    assert definition["metadata"]["name"] == f"{kind.plural}.{kind.group}"
    names, (version,) = definition["spec"]["names"], definition["spec"]["versions"]
    assert (names["kind"], names["plural"], version["name"]) == (kind.name, kind.plural, kind.version)
    assert definition["spec"]["scope"] == ("Namespaced" if kind.namespaced else "Cluster")
    assert version["subresources"] == {"status": {}}


def test_runtimes_of_both_scopes_have_one_schema() -> None:
    schemas = [
        documents(DEPLOY / "crds" / f"{kind.plural}.yaml")[0]["spec"]["versions"]
        for kind in (SERVING_RUNTIME, CLUSTER_SERVING_RUNTIME)
    ]
    assert schemas[0] == schemas[1]


def test_the_runtimes_that_people_know_are_there() -> None:
    assert set(runtimes("kserve")) == {f"kserve-{name}" for name in OF_KSERVE}
    assert set(runtimes("modelmesh")) == {"mlserver-1.x", "triton-2.x", "ovms-1.x", "torchserve-0.x"}
    assert set(runtimes("remesh")) == {"remesh-python"}


def test_ours_is_the_same_on_a_laptop() -> None:
    (local,) = documents(ROOT / "adapter" / "up" / "runtimes" / "remesh-python.yaml")
    here, there = read_runtime(local), read_runtime(ALL_RUNTIMES["remesh-python"])
    assert (here.formats, here.protocols) == (there.formats, there.protocols)
    assert (here.grpc_endpoint, here.grpc_data_endpoint) == (there.grpc_endpoint, there.grpc_data_endpoint)


@pytest.mark.parametrize("name", ALL_RUNTIMES)
def test_a_runtime_can_be_read(name: str) -> None:
    runtime = read_runtime(ALL_RUNTIMES[name])
    assert runtime.multi_model is not name.startswith("kserve-")
    assert any(each.auto_select for each in runtime.formats)


@pytest.mark.parametrize(
    "path",
    [path for folder in EXAMPLES for path in sorted(folder.glob("*.yaml"))],
    ids=lambda path: path.stem,
)
def test_an_example_can_be_read(path: Path) -> None:
    (manifest,) = documents(path)
    # Those who apply it say where.
    model = read_model(manifest | {"metadata": manifest["metadata"] | {"namespace": "mine"}})
    assert model is not None
    assert model.storage is not None
