from typing import Any

import pytest

from adapter.controller.config import ControllerConfig, MetricsConfig, RestConfig
from adapter.controller.manifests.runtime_rules import runtime_complaints
from adapter.controller.manifests.runtimes import read_runtime
from tests.unit.controller.manifests.written import runtime

CONFIG = ControllerConfig()
ADAPTER: dict[str, Any] = {"builtInAdapter": {"serverType": "mlserver"}, "containers": [{"name": "mlserver"}]}


def told(config: ControllerConfig = CONFIG, **spec: Any) -> list[str]:
    whole = {"multiModel": True, "grpcEndpoint": "port:8085", **spec}
    return [*map(str, runtime_complaints(read_runtime(runtime(**whole)), config))]


def of_container(**fields: Any) -> list[str]:
    return told(containers=[{"name": "server", **fields}])


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="a custom runtime"),
        pytest.param(ADAPTER, id="a built-in server"),
        pytest.param({**ADAPTER, "grpcEndpoint": None}, id="a built-in server without endpoint"),
        pytest.param({"grpcDataEndpoint": "port:8090"}, id="the data port of ModelMesh's own example"),
        pytest.param(
            {"grpcEndpoint": "unix:/run/a/x.sock", "grpcDataEndpoint": "unix:/run/a/y.sock"}, id="two sockets"
        ),
        pytest.param({"volumes": [{"name": "extra"}]}, id="a volume"),
        pytest.param(
            {
                "containers": [
                    {
                        "name": "server",
                        "livenessProbe": {},
                        "startupProbe": {},
                        "ports": [{"name": "rest", "containerPort": 8086}],
                        "volumeMounts": [{"name": "models-dir", "mountPath": "/models"}],
                    }
                ]
            },
            id="what a container may have",
        ),
    ],
)
def test_what_may_run(spec: dict[str, Any]) -> None:
    assert told(**spec) == []


@pytest.mark.parametrize("name", ["mm", "rest-proxy", "puller", "mm-own"])
def test_names_of_containers_are_reserved(name: str) -> None:
    assert told(containers=[{"name": name}]) == [
        f"spec.containers[0].name: container name {name} is reserved"
    ]


def test_the_adapters_container_is_reserved_where_there_is_one() -> None:
    containers = [{"name": "mlserver"}, {"name": "mlserver-adapter"}]
    assert told(**{**ADAPTER, "containers": containers}) == [
        "spec.containers[1].name: container name mlserver-adapter is reserved"
    ]
    assert told(containers=containers) == []


@pytest.mark.parametrize("field", ["readinessProbe", "lifecycle"])
def test_fields_of_containers_are_reserved(field: str) -> None:
    assert of_container(**{field: {}}) == [
        f"spec.containers[0].{field}: is not allowed in container server: it is set for it"
    ]


@pytest.mark.parametrize("name", ["storage-config", "etcd-config", "tc-config", "domain-socket", "mm-a"])
def test_volumes_of_ours_cannot_be_mounted(name: str) -> None:
    (found,) = of_container(volumeMounts=[{"name": name, "mountPath": "/a"}])
    assert found.startswith("spec.containers[0].volumeMounts[0].name: ")
    assert found.endswith(f"volume {name} is reserved, container server cannot mount it")


@pytest.mark.parametrize(
    "name", ["storage-config", "etcd-config", "tc-config", "domain-socket", "models-dir", "mm-a"]
)
def test_names_of_volumes_are_reserved(name: str) -> None:
    assert told(volumes=[{"name": "fine"}, {"name": name}]) == [
        f"spec.volumes[1].name: volume name {name} is reserved"
    ]


@pytest.mark.parametrize("name", ["grpc", "http", "prometheus", "mm-a"])
def test_names_of_ports_are_reserved(name: str) -> None:
    assert of_container(ports=[{"name": name, "containerPort": 80}]) == [
        f"spec.containers[0].ports[0].name: port name {name} of container server is reserved"
    ]


@pytest.mark.parametrize("port", [8080, 8085, 8089, 8090, 8033, 8008, 2112, 11881, 11899])
def test_numbers_of_ports_are_reserved(port: int) -> None:
    (complaint,) = of_container(ports=[{"containerPort": port}])
    assert complaint.startswith(
        f"spec.containers[0].ports[0].containerPort: port {port} of container server is "
    )


@pytest.mark.parametrize("port", [8086, 11880, 11900])
def test_numbers_beside_them_are_not(port: int) -> None:
    assert of_container(ports=[{"containerPort": port}]) == []


def test_the_ports_of_the_service_are_those_of_the_configuration() -> None:
    config = ControllerConfig(
        service_port=9000, rest=RestConfig(enabled=False), metrics=MetricsConfig(enabled=False)
    )
    assert told(config, grpcDataEndpoint="port:8033") == []
    assert told(config, grpcDataEndpoint="port:9000") == [
        "spec.grpcDataEndpoint: port 9000 is reserved for inference"
    ]


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        pytest.param(
            {**ADAPTER, "builtInAdapter": {"serverType": "other"}, "containers": [{"name": "other"}]},
            "spec.builtInAdapter.serverType: unrecognized built-in runtime server type other; known are ",
            id="an unknown server",
        ),
        pytest.param(
            {**ADAPTER, "containers": [{"name": "server"}]},
            "spec.containers: must include runtime container with name mlserver",
            id="no container of its name",
        ),
        pytest.param(
            {**ADAPTER, "grpcEndpoint": "unix:/run/a/x.sock"},
            "spec.grpcEndpoint: must be port:N with a builtInAdapter",
            id="a socket for an adapter",
        ),
        pytest.param({"grpcEndpoint": None}, "spec.grpcEndpoint: is missing", id="no endpoint (D1)"),
        pytest.param(
            {"grpcEndpoint": "unix:/run/a/x.sock", "grpcDataEndpoint": "unix:/run/b/y.sock"},
            "spec.grpcDataEndpoint: must be in the same folder",
            id="sockets in two folders",
        ),
        pytest.param(
            {"grpcDataEndpoint": "port:8080"},
            "spec.grpcDataEndpoint: port 8080 is reserved",
            id="a port of ours",
        ),
        pytest.param(
            {"containers": [{"name": "a"}, {"name": "a"}]},
            "spec.containers[1].name: there is a container a already",
            id="one name twice",
        ),
    ],
)
def test_what_would_fail_later_is_told_now(spec: dict[str, Any], complaint: str) -> None:
    (found,) = told(**spec)
    assert found.startswith(complaint)


def test_the_webhooks_rules_are_among_them() -> None:
    read = read_runtime(
        runtime({"serving.kserve.io/autoscalerClass": "none"}, multiModel=True, grpcEndpoint="port:8085")
    )
    assert [each.text for each in runtime_complaints(read, CONFIG)] == [
        "[none] is not a supported autoscaler class type."
    ]


def test_every_complaint_comes_at_once() -> None:
    assert len(told(grpcEndpoint=None, containers=[{"name": "mm"}], volumes=[{"name": "models-dir"}])) == 3


def test_a_runtime_of_kserves_is_left_alone() -> None:
    containers = [
        {"name": "kserve-container", "ports": [{"name": "http", "containerPort": 8080}], "lifecycle": {}}
    ]
    assert told(multiModel=False, grpcEndpoint=None, containers=containers) == []
