from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given

from adapter.controller.manifests.complaints import BadManifest
from adapter.controller.manifests.runtimes import read_runtime
from adapter.domain.specs import BuiltInAdapter, Endpoint, RuntimeSpec, SupportedFormat
from tests.unit.controller.manifests.written import cluster_runtime, complaints, json_values, runtime

CONTAINER = {
    "name": "mlserver",
    "image": "seldonio/mlserver:1.3.2",
    "command": ["mlserver"],
    "args": ["start"],
    "resources": {"requests": {"cpu": "500m"}, "limits": {"memory": "1Gi"}},
    "env": [{"name": "MLSERVER_HTTP_PORT", "value": "8002"}],
    "imagePullPolicy": "Always",
    "workingDir": "/tmp",
    "livenessProbe": {"tcpSocket": {"port": 8001}},
}
WHOLE: dict[str, Any] = {
    "supportedModelFormats": [
        {"name": "sklearn", "version": "0", "autoSelect": True, "priority": 2},
        {"name": "xgboost", "version": None},
    ],
    "multiModel": True,
    "disabled": True,
    "protocolVersions": ["grpc-v2"],
    "containers": [CONTAINER],
    "grpcEndpoint": "port:8085",
    "grpcDataEndpoint": "unix:/run/mlserver/grpc.sock",
    "httpDataEndpoint": "port:8002",
    "builtInAdapter": {
        "serverType": "mlserver",
        "runtimeManagementPort": 8001,
        "memBufferBytes": 134217728,
        "modelLoadingTimeoutMillis": 90000,
        "env": [{"name": "A", "value": "b"}],
    },
    "replicas": 3,
    "storageHelper": {"disabled": True},
    "volumes": [{"name": "extra", "emptyDir": {}}],
    "imagePullSecrets": [{"name": "pull"}],
    "nodeSelector": {"gpu": "yes"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "labels": {"a": "b"},
    "annotations": {"c": "d"},
    "unknown": [1, 2],
}


def test_every_field_is_read() -> None:
    read = read_runtime(runtime({"maxLoadingConcurrency": "2"}, **WHOLE))
    assert read == RuntimeSpec(
        identity=read.identity,
        formats=(
            SupportedFormat(name="sklearn", version="0", auto_select=True, priority=2),
            SupportedFormat(name="xgboost"),
        ),
        multi_model=True,
        disabled=True,
        protocols=("grpc-v2",),
        containers=(CONTAINER,),
        grpc_endpoint=Endpoint(port=8085),
        grpc_data_endpoint=Endpoint(socket="/run/mlserver/grpc.sock"),
        http_data_endpoint=Endpoint(port=8002),
        adapter=BuiltInAdapter(
            server_type="mlserver",
            management_port=8001,
            buffer_bytes=134217728,
            loading_timeout_ms=90000,
            env=({"name": "A", "value": "b"},),
        ),
        replicas=3,
        storage_helper_disabled=True,
        volumes=({"name": "extra", "emptyDir": {}},),
        image_pull_secrets=({"name": "pull"},),
        node_selector={"gpu": "yes"},
        tolerations=({"key": "gpu", "operator": "Exists"},),
        affinity={"nodeAffinity": {}},
        labels={"a": "b"},
        annotations={"c": "d"},
    )
    assert read.identity.annotations == {"maxLoadingConcurrency": "2"}


def test_what_is_not_written_has_modelmeshs_default() -> None:
    read = read_runtime(runtime())
    assert read == RuntimeSpec(identity=read.identity, containers=({"name": "server", "image": "server:1"},))


def test_a_cluster_serving_runtime_is_in_no_namespace() -> None:
    assert read_runtime(cluster_runtime()).is_cluster_scoped
    assert not read_runtime(runtime()).is_cluster_scoped


def test_null_in_a_container_is_as_if_it_were_not_there() -> None:
    (container,) = read_runtime(runtime(containers=[{"name": "a", "env": None, "x": None}])).containers
    assert container == {"name": "a"}


def test_an_http_endpoint_in_another_form_is_passed_over() -> None:
    assert read_runtime(runtime(httpDataEndpoint="http://localhost:8080")).http_data_endpoint is None


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        pytest.param({"containers": None}, "spec.containers", id="no containers (KServe row 22)"),
        pytest.param({"containers": []}, "spec.containers", id="an empty list"),
        pytest.param({"workerSpec": {}}, "spec.workerSpec.containers", id="workers without (KServe row 23)"),
    ],
)
def test_a_runtime_without_containers_is_none(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(BadManifest) as raised:
        read_runtime(runtime(**spec))
    assert [*complaints(raised.value)] == [field]


def test_a_runtime_with_workers_is_of_several_nodes() -> None:
    assert read_runtime(runtime(workerSpec={"containers": [{"name": "worker-container"}]})).multi_node


def test_every_complaint_comes_at_once_with_its_field() -> None:
    manifest = runtime(
        {"productConfig": "a"},
        supportedModelFormats=[{"version": 1, "priority": 0}],
        grpcEndpoint="8085",
        replicas=-1,
        containers=[{"name": "a", "ports": [{"containerPort": 80}, {"name": 7, "containerPort": "x"}]}],
        builtInAdapter={"env": [{"name": "A", "value": 1}]},
    )
    manifest["metadata"]["labels"] = {"a": 1}
    with pytest.raises(BadManifest) as raised:
        read_runtime(manifest)
    assert complaints(raised.value) == {
        "metadata.labels.a": "must be a string, not a number; put it in quotes",
        "spec.supportedModelFormats[0].name": "is missing",
        "spec.supportedModelFormats[0].version": "must be a string, not a number; put it in quotes",
        "spec.supportedModelFormats[0].priority": "must be at least 1",
        "spec.containers[0].ports[1].name": "must be a string, not a number; put it in quotes",
        "spec.containers[0].ports[1].containerPort": (
            "must be a whole number, not a string; leave the quotes out"
        ),
        "spec.grpcEndpoint": (
            "must be port:N, such as port:8085, or unix:PATH, such as unix:/run/runtime/grpc.sock"
        ),
        "spec.builtInAdapter.serverType": "is missing",
        "spec.builtInAdapter.env[0].value": "must be a string, not a number; put it in quotes",
        "spec.replicas": "must be at least 0",
    }


@given(json_values([*WHOLE, *CONTAINER, "name", "version", "ports", "containerPort", "metadata", "spec"]))
def test_whatever_comes_is_a_runtime_or_a_bad_manifest(value: Any) -> None:
    fields = value if isinstance(value, dict) else {"containers": value}
    for manifest in (
        fields,
        {**runtime(), "spec": value},
        {**runtime(**fields), "metadata": value},
        runtime(**fields),
    ):
        with suppress(BadManifest):
            read_runtime(manifest)
