import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from adapter.cluster.processes import ProcessSpec
from adapter.controller.config import ControllerConfig
from adapter.controller.plans import RuntimePlan
from adapter.domain.specs import Endpoint, Identity, RuntimeSpec
from adapter.up.local_runtimes import Blueprint, Child
from adapter.up.local_specs import PairSpecs, Place, Ports, program_finder
from adapter.up.mesh_folder import MeshFolder
from adapter.up.mesh_plan import MeshPlan

PLAN = RuntimePlan(
    namespace="ns",
    runtime=RuntimeSpec(identity=Identity(name="r")),
    labels=("mt:sklearn", "rt:r"),
    replicas=1,
    config=ControllerConfig(
        access_logging=True, instance_env={"REMESH_EVICTION": "lru", "LOG_LEVEL": "debug"}
    ),
)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[PairSpecs]:
    mesh = MeshPlan(environ={"PATH": "/bin", "LOG_LEVEL": "error"}, port=0)
    folder = MeshFolder(tmp_path)
    folder.prepare(())
    with ExitStack() as held:
        doors = {
            name: held.enter_context(socket.create_server(("127.0.0.1", 0))) for name in ("grpc", "rest")
        }
        yield PairSpecs(
            name="up-1",
            folder_name="ns_r_1",
            mesh=mesh,
            folder=folder,
            place=Place(
                kv_store="etcd:h:1;rootPrefix=/mm_ns/ns",
                service_name="up",
                storage_config=tmp_path / "keys",
                type_constraints=tmp_path / "types",
                dataplane=tmp_path / "calls",
                doors=doors,
            ),
            ports=Ports.held(mesh, held, further=2),
            logs=held,
        )


def env(spec: ProcessSpec) -> dict[str, str]:
    assert spec.env is not None
    return dict(spec.env)


def test_the_instance_is_told_who_it_is_and_what_it_serves(pair: PairSpecs) -> None:
    runtime, instance = pair.specs(PLAN, Blueprint(kind="python", settings={"LOADING_CONCURRENCY": "4"}))
    told = env(instance)
    assert told["MM_LABELS"] == "mt:sklearn,rt:r"
    assert told["KV_STORE"] == "etcd:h:1;rootPrefix=/mm_ns/ns"
    assert told["WKUBE_POD_NAME"] == "up-1"
    assert told["LOADING_CONCURRENCY"] == "4"
    assert told["MM_LOG_EACH_INVOKE"] == "true"
    assert told["REMESH_EVICTION"] == "lru"
    assert told["LOG_LEVEL"] == "error", "what whoever starts it set wins"
    assert instance.sockets == pair.place.doors
    assert f"{told['ROOT_MODEL_DIR']}/_python_models" in runtime.command
    assert told["RUNTIME_PORT"] in runtime.command


def test_mlserver_is_told_its_ports_and_folder(pair: PairSpecs) -> None:
    child = Child(name="mlserver", command=("/m", "start"), env={"MLSERVER_DEBUG": "1"})
    server, instance = pair.specs(PLAN, Blueprint(kind="mlserver", children=(child,)))
    told = env(server)
    assert server.command == ("/m", "start", told["MLSERVER_MODELS_DIR"])
    assert told["MLSERVER_GRPC_PORT"] == env(instance)["RUNTIME_PORT"]
    ports = {told[f"MLSERVER_{name}_PORT"] for name in ("GRPC", "HTTP", "METRICS")}
    assert len(ports) == 3
    assert told["MLSERVER_DEBUG"] == "1"
    assert told["PATH"] == "/bin"


@pytest.mark.parametrize("endpoint", [Endpoint(port=8085), Endpoint(socket="/tmp/s.sock")], ids=str)
def test_a_server_with_the_spi_is_ready_when_it_answers_where_it_says(
    pair: PairSpecs, endpoint: Endpoint
) -> None:
    child = Child(name="c", command=("/bin/serve",))
    server, _ = pair.specs(PLAN, Blueprint(kind="model-runtime", children=(child,), endpoint=endpoint))
    assert (endpoint.port or Path("/tmp/s.sock")) in server.ready.args  # type: ignore[attr-defined]


def test_each_start_writes_into_the_same_log(pair: PairSpecs) -> None:
    for text in ("one", "two"):
        *_, instance = pair.specs(PLAN, Blueprint(kind="python"))
        assert instance.on_line is not None
        instance.on_line(text)
    assert (pair.folder.logs / "up-1.log").read_text() == "one\ntwo\n"


def test_programs_are_found_as_a_shell_does_and_beside_this_python(tmp_path: Path) -> None:
    program = tmp_path / "serve"
    program.touch(mode=0o755)
    find: Any = program_finder({"PATH": str(tmp_path)})
    assert find("serve") == str(program)
    assert find("no-such-program") is None
    assert Path(find("python") or find("python3")).name.startswith("python")
