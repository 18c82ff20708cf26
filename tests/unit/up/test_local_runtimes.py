from typing import Any

import pytest

from adapter.controller.manifests.runtimes import read_runtime
from adapter.domain.specs import Endpoint
from adapter.up.declared_mesh import out_of_the_box
from adapter.up.local_runtimes import DISABLED_BECAUSE, Blueprint, NotHere, as_meant_here, blueprint

WORKERS = {"containers": [{"name": "worker-container"}]}
SECRET_ENV = {"name": "A", "valueFrom": {"secretKeyRef": {}}}
PROGRAMS = {"mlserver": "/usr/bin/mlserver", "serve": "/bin/serve"}


def runtime(
    *containers: dict[str, Any], annotations: dict[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": "r", "namespace": "ns", "annotations": annotations or {}},
        "spec": {
            "multiModel": True,
            "grpcEndpoint": "port:8085",
            "supportedModelFormats": [{"name": "sklearn"}],
            "containers": list(containers) or [{"name": "c", "image": "x/y:1", "command": ["serve"]}],
            **spec,
        },
    }


def built_in(server_type: str, **container: Any) -> dict[str, Any]:
    adapter = {"serverType": server_type, "runtimeManagementPort": 8001, "memBufferBytes": 1 << 27}
    return runtime({"name": server_type, "image": "x", **container}, builtInAdapter=adapter)


def here(manifest: dict[str, Any], **programs: str) -> Blueprint:
    return blueprint(read_runtime(manifest), (programs or PROGRAMS).get)


def test_a_server_with_the_spi_runs_by_its_own_command() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$$(A)$(C)"}]
    container = {"name": "c", "image": "x", "command": ["serve", "$(A)"], "args": ["--all"], "env": env}
    made = here(runtime(container, grpcDataEndpoint="unix:/tmp/s.sock"))
    (child,) = made.children
    assert child.command == ("/bin/serve", "1", "--all")
    assert child.env == {"A": "1", "B": "1$(A)$(C)"}
    assert made.endpoint == Endpoint(port=8085)
    assert made.is_alone
    assert made.settings["INTERNAL_GRPC_PORT"] == "8085"
    assert made.settings["INTERNAL_SERVING_GRPC_SOCKET_PATH"] == "/tmp/s.sock"


@pytest.mark.parametrize(
    ("manifest", "kind"),
    [
        pytest.param(built_in("python"), "python", id="its server type"),
        pytest.param(runtime({"name": "c", "image": "registry:5000/remesh:1"}), "python", id="its image"),
        pytest.param(built_in("mlserver"), "mlserver", id="MLServer by its server type"),
        pytest.param(
            runtime(
                {"name": "kserve-container", "image": "docker.io/seldonio/mlserver:1.7"}, multiModel=False
            ),
            "mlserver",
            id="MLServer by its image",
        ),
    ],
)
def test_servers_that_are_driven_here_are_known(manifest: dict[str, Any], kind: str) -> None:
    made = here(manifest)
    assert made.kind == kind
    assert not made.is_alone


def test_mlserver_keeps_its_settings_but_for_its_addresses() -> None:
    env = [{"name": name, "value": "x"} for name in ("MLSERVER_GRPC_PORT", "MLSERVER_DEBUG")]
    (child,) = here(built_in("mlserver", env=env)).children
    assert child.command == ("/usr/bin/mlserver", "start")
    assert child.env == {"MLSERVER_PARALLEL_WORKERS": "0", "MLSERVER_DEBUG": "x"}


@pytest.mark.parametrize(
    ("manifest", "because"),
    [
        pytest.param(built_in("triton"), "server type triton runs in containers", id="another's server"),
        pytest.param(runtime({"name": "c", "image": "x/y:1"}), "has no command", id="no command"),
        pytest.param(runtime({"name": "c", "command": ["absent"]}), "absent is not on this", id="no program"),
        pytest.param(runtime(multiModel=False), "serves one model a process", id="one model only"),
        pytest.param(runtime(workerSpec=WORKERS), "several machines", id="several machines"),
        pytest.param(
            runtime({"name": "c", "command": ["serve"], "env": [SECRET_ENV]}),
            "env A of its container c",
            id="an env from a secret",
        ),
    ],
)  # fmt: skip
def test_what_cannot_run_here_counts_as_disabled_and_says_why(manifest: dict[str, Any], because: str) -> None:
    with pytest.raises(NotHere, match=because):
        here(manifest)
    meant = as_meant_here(manifest, PROGRAMS.get)
    assert meant["spec"]["disabled"] is True
    assert because in meant["metadata"]["annotations"][DISABLED_BECAUSE]
    assert "disabled" not in manifest["spec"]


def test_mlserver_that_is_not_installed_is_not_here() -> None:
    with pytest.raises(NotHere, match="pip install mlserver"):
        here(built_in("mlserver"), other="x")


@pytest.mark.parametrize(
    "manifest",
    [runtime(), {"kind": "Secret"}, runtime(containers=7), runtime({"name": "c"}, disabled=True)],
    ids=["it runs here", "no runtime", "none that can be read", "disabled already"],
)
def test_all_else_is_meant_as_it_is_declared(manifest: dict[str, Any]) -> None:
    assert as_meant_here(manifest, PROGRAMS.get) is manifest


def test_what_the_instance_is_told_follows_the_runtime() -> None:
    resources = {"requests": {"memory": "1Gi"}}
    annotations = {"maxLoadingConcurrency": "2", "perModelConcurrencyLimit": "3"}
    manifest = built_in("python", resources=resources)
    manifest["metadata"]["annotations"] = annotations
    manifest["spec"]["builtInAdapter"] |= {
        "modelLoadingTimeoutMillis": 90_000,
        "env": [{"name": "MODELSIZE_MULTIPLIER", "value": "2"}],
    }
    assert here(manifest).settings == {
        "REMESH_RUNTIME": "python",
        "LOADING_CONCURRENCY": "2",
        "LIMIT_PER_MODEL_CONCURRENCY": "3",
        "CONTAINER_MEM_REQ_BYTES": str(1 << 30),
        "MEM_BUFFER_BYTES": str(1 << 27),
        "LOADTIME_TIMEOUT": "90000",
        "MODELSIZE_MULTIPLIER": "2",
    }


def test_without_the_storage_helper_paths_are_passed_on() -> None:
    assert here(runtime(storageHelper={"disabled": True})).settings["STORAGE_CONFIG_DIR"] == "/nowhere"


def test_what_is_out_of_the_box_can_be_read_and_runs_here() -> None:
    for manifest in out_of_the_box():
        assert blueprint(read_runtime(manifest), lambda name: None).kind == "python"
