import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from adapter.up.mesh_folder import MeshFolder
from adapter.up.mesh_plan import MeshPlan
from adapter.up.processes import Member, Processes, members

PLAN = MeshPlan(
    environ={"PATH": "/bin", "MM_METRICS": "disabled", "REMESH_LOCAL_FILES_DIR": "/theirs"}, port=0
)


@pytest.fixture
async def pair() -> tuple[Member, ...]:
    async with AsyncExitStack() as stack:
        return members(replace(PLAN, instances=2), stack)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    folder = MeshFolder(tmp_path)
    folder.prepare(["up-1", "up-2"])
    with ExitStack() as logs:
        yield Processes(PLAN, folder, logs)


@pytest.fixture
def doors() -> Iterator[dict[str, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as grpc, socket.create_server(("127.0.0.1", 0)) as rest:
        yield {"grpc": grpc, "rest": rest}


async def test_members_share_no_port(pair: tuple[Member, ...]) -> None:
    ports = [held.port for member in pair for held in (member.runtime, member.probe, member.metrics)]
    assert len(set(ports)) == 6


async def test_instances_differ_in_what_is_theirs_and_share_the_doors(
    processes: Processes, pair: tuple[Member, ...], doors: dict[str, socket.socket]
) -> None:
    one, two = (processes.instance(member, kv_store="etcd:h:1", doors=doors) for member in pair)
    assert one.env is not None
    assert two.env is not None
    differing = {name for name in one.env if one.env[name] != two.env[name]}
    assert differing == {
        *("WKUBE_POD_NAME", "RUNTIME_PORT", "MM_PROBE_PORT", "MM_METRICS"),
        *("ROOT_MODEL_DIR", "REMESH_DATA_DIR"),
    }
    assert one.sockets == two.sockets == doors


async def test_an_instance_is_given_what_whoever_starts_it_set(
    processes: Processes, pair: tuple[Member, ...], doors: dict[str, socket.socket], tmp_path: Path
) -> None:
    env = processes.instance(pair[0], kv_store="etcd:h:1", doors=doors).env
    assert env is not None
    assert env["REMESH_LOCAL_FILES_DIR"] == "/theirs"
    assert env["STORAGE_CONFIG_DIR"] == str(tmp_path / "storage-config")
    assert env["KV_STORE"] == "etcd:h:1"


async def test_a_runtime_looks_where_its_instance_lays_models_out(
    processes: Processes, pair: tuple[Member, ...], doors: dict[str, socket.socket]
) -> None:
    runtime = processes.runtime(pair[0])
    env = processes.instance(pair[0], kv_store="etcd:h:1", doors=doors).env
    assert env is not None
    assert f"{env['ROOT_MODEL_DIR']}/_python_models" in runtime.command
    assert env["RUNTIME_PORT"] in runtime.command


def test_what_a_child_says_is_in_a_file_of_its_name(processes: Processes, tmp_path: Path) -> None:
    registry = processes.registry(tmp_path / "r.sock")
    assert registry.on_line is not None
    registry.on_line("it listens")
    assert (tmp_path / "logs" / "registry.log").read_text() == "it listens\n"
