from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from adapter.up.local_mesh import LocalMesh
from adapter.up.mesh_folder import MeshFolder, Whereabouts
from adapter.up.mesh_plan import MeshPlan
from adapter.up.ports import held_port
from adapter.up.processes import Member
from adapter.up.program import what_next, whats_where

FOLDER = MeshFolder(Path("/data") / ("long" * 30))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def a_mesh(stack: ExitStack, *, grpc: str = "127.0.0.1:8033") -> LocalMesh:
    ports = [stack.enter_context(closing(held_port())) for _ in range(3)]
    return LocalMesh(
        plan=MeshPlan(environ={"CONTAINER_MEM_REQ_BYTES": str(3 << 30)}),
        folder=FOLDER,
        whereabouts=Whereabouts(grpc=grpc, rest="127.0.0.1:8008", files=FOLDER.files),
        members=(Member(name="up-1", runtime=ports[0], probe=ports[1], metrics=ports[2]),),
        registry="etcd:h:1",
        doors={},
        kv_store="etcd:h:1",
    )


def test_every_place_is_told_whole(stack: ExitStack) -> None:
    mesh = a_mesh(stack)
    lines = whats_where(mesh).splitlines()
    names = ["gRPC", "REST", "registry", "up-1", "keys", "files", "logs"]
    assert [line.split()[0] for line in lines] == names
    assert f"http://127.0.0.1:{mesh.members[0].metrics.port}/metrics" in lines[3]
    assert lines[3].endswith(f"its runtime on 127.0.0.1:{mesh.members[0].runtime.port}, 3.0 GiB")
    assert str(FOLDER.logs) in lines[6]


@pytest.mark.parametrize(
    ("grpc", "command"),
    [
        pytest.param("127.0.0.1:8033", "get models\n", id="the default port"),
        pytest.param("127.0.0.1:9", "get models --address 127.0.0.1:9\n", id="another"),
    ],
)
def test_what_may_be_typed_is_whole(stack: ExitStack, grpc: str, command: str) -> None:
    assert command in what_next(a_mesh(stack, grpc=grpc))


def test_where_manifests_declare_it_is_told(stack: ExitStack) -> None:
    mesh, manifests = a_mesh(stack), Path("/declared")
    where = replace(mesh.whereabouts, manifests=manifests, namespace="ns")
    declared = replace(mesh, plan=replace(mesh.plan, manifests=manifests), whereabouts=where, members=())
    assert "manifests" in whats_where(declared)
    assert "/declared" in whats_where(declared)
    assert "remesh describe isvc NAME\n" in what_next(declared)
