"""`deploy/` is built by Kustomize and Helm, and both say the same."""

import json
import os
from pathlib import Path

import pytest
import yaml

from adapter.controller.reading_config import config_in
from tests.integration.deployed import (
    DEPLOY,
    MESHES,
    Object,
    built,
    by_name,
    env_of,
    rendered,
    the_deployment,
)

SETS = (
    *("crds", "cluster-scope", "namespace-scope", "quickstart", "dependencies", "user-namespace"),
    *("rbac/webhooks", "rbac/every-secret"),
    *(f"runtimes/{name}" for name in ("kserve", "modelmesh", "modelmesh-namespaced")),
    *(f"runtimes/{name}" for name in ("remesh", "remesh-namespaced")),
)
PATCHES = sorted(path.stem for path in (DEPLOY / "base" / "patches").glob("*.yaml"))


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_built(name: str) -> None:
    assert by_name(built(DEPLOY / name))


@pytest.mark.parametrize("name", MESHES)
def test_a_mesh_is_named_after_its_service(name: str) -> None:
    objects = built(DEPLOY / name)
    (service,) = [each for each in objects if each["kind"] == "Service"]
    pods = [each["spec"]["template"] for each in objects if each["kind"] == "Deployment"]
    assert pods
    for pod in pods:
        (mm,) = [each for each in pod["spec"]["containers"] if each["name"] == "mm"]
        assert env_of(mm)["MM_SERVICE_NAME"] == service["metadata"]["name"]
        assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()


@pytest.mark.parametrize("patch", PATCHES)
def test_each_patch_fits_the_base(tmp_path: Path, patch: str) -> None:
    overlay = {
        # Of a folder, Kustomize takes no absolute path.
        "resources": [os.path.relpath(DEPLOY / "base", tmp_path.resolve())],
        "patches": [{"path": str(DEPLOY / "base" / "patches" / f"{patch}.yaml")}],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    plain, patched = the_deployment(built(DEPLOY / "base")), the_deployment(built(tmp_path))
    assert patched != plain
    assert len(patched["spec"]["template"]["spec"]["containers"]) == 1
    assert patched["spec"]["selector"] == plain["spec"]["selector"]


def test_a_socket_takes_the_place_of_the_port() -> None:
    pod = the_deployment(built(DEPLOY / "examples" / "custom-example-uds"))["spec"]["template"]["spec"]
    mm, server = pod["containers"]
    assert env_of(mm)["INTERNAL_GRPC_SOCKET_PATH"] == "/tmp/mmesh/grpc.sock"
    assert "INTERNAL_GRPC_PORT" not in env_of(mm)
    assert env_of(server)["LISTEN_ON"] == "unix:///tmp/mmesh/grpc.sock"
    shared = [
        each["mountPath"]
        for c in (mm, server)
        for each in c["volumeMounts"]
        if each["name"] == "domain-socket"
    ]
    assert shared == ["/tmp/mmesh"] * 2


def test_pods_with_a_gpu_say_so_to_the_type_constraints() -> None:
    objects = built(DEPLOY / "examples" / "type-constraints-example")
    labels = {
        each["metadata"]["name"]: env_of(each["spec"]["template"]["spec"]["containers"][0]).get("MM_LABELS")
        for each in objects
        if each["kind"] == "Deployment"
    }
    assert labels == {"gpu-model-mesh": "gpu", "non-gpu-model-mesh": None}
    (constraints,) = [each for each in objects if each["kind"] == "ConfigMap"]
    assert json.loads(constraints["data"]["type_constraints"])["type-requiring-gpu"] == {"required": ["gpu"]}


def test_the_quickstart_is_in_one_namespace_and_can_be_configured() -> None:
    objects = built(DEPLOY / "quickstart")
    namespaces = {each["metadata"].get("namespace", "") for each in objects}
    assert namespaces == {"", "modelmesh-serving"}
    config = by_name(objects)["ConfigMap", "model-serving-config"]
    assert config_in(config).pods_per_runtime == 2


def test_the_quickstart_can_have_modelmeshs_own_store(tmp_path: Path) -> None:
    def beside(name: str) -> str:
        return os.path.relpath(DEPLOY / name, tmp_path.resolve())

    overlay = {
        "resources": [beside("quickstart")],
        "components": [beside("dependencies/modelmesh-examples")],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    objects = by_name(built(tmp_path))
    (container,) = objects["Deployment", "minio"]["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith("kserve/modelmesh-minio-examples:")
    assert "/data1" in container["command"]
    assert ("Job", "minio-fill") not in objects


def test_the_chart_and_the_kustomizations_say_the_same() -> None:
    wanted = by_name(
        [
            each
            for name in ("crds", "cluster-scope", "runtimes/modelmesh", "runtimes/remesh")
            for each in built(DEPLOY / name)
        ]
    )
    found = by_name(rendered())
    for manifest in found.values():
        _without_defaults(manifest)
    for manifest in wanted.values():
        manifest["metadata"].pop("namespace", None)
        data = manifest.get("data", {})
        if "config-defaults.yaml" in data:
            data["config-defaults.yaml"] = yaml.safe_load(data["config-defaults.yaml"])
    assert found == wanted


def _without_defaults(manifest: Object) -> None:
    """What only the chart says, and what it says as the defaults are."""
    if manifest["kind"] == "Deployment":
        (container,) = manifest["spec"]["template"]["spec"]["containers"]
        said = {"NAMESPACE_SCOPE": "false", "REMESH_WEBHOOK_PORT": "9443"}
        assert said.items() <= env_of(container).items()
        container["env"] = [each for each in container["env"] if each["name"] not in said]
    if manifest["metadata"]["name"] == "model-serving-config-defaults":
        data = manifest["data"]
        data["config-defaults.yaml"] = yaml.safe_load(data["config-defaults.yaml"])


def test_the_chart_in_one_namespace_has_nothing_outside() -> None:
    objects = by_name(rendered("--set", "scope=namespace,webhooks=false"))
    kinds = {kind for kind, _ in objects} - {"CustomResourceDefinition"}
    assert not [kind for kind in kinds if kind.startswith("Cluster")]
    (container,) = objects["Deployment", "modelmesh-controller"]["spec"]["template"]["spec"]["containers"]
    assert env_of(container)["NAMESPACE_SCOPE"] == "true"
    assert env_of(container)["REMESH_WEBHOOK_PORT"] == "0"


def test_the_charts_values_reach_the_controllers_configuration() -> None:
    objects = by_name(rendered("--set", "config.podsPerRuntime=3,image.name=mine/remesh,image.tag=7"))
    assert config_in(objects["ConfigMap", "model-serving-config"]).pods_per_runtime == 3
    content = objects["ConfigMap", "model-serving-config-defaults"]["data"]["config-defaults.yaml"]
    assert str(config_in({"data": {"config.yaml": content}}).image) == "mine/remesh:7"


def test_the_charts_braces_for_the_controller_are_kept() -> None:
    runtime = by_name(rendered("--set", "runtimes.kserve=true"))[
        "ClusterServingRuntime", "kserve-sklearnserver"
    ]
    assert "--model_name={{.Name}}" in runtime["spec"]["containers"][0]["args"]
