from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from adapter.cli.reaching import Where, chosen_mesh, reached
from adapter.domain.errors import Refused
from adapter.up.mesh_folder import MeshFolder, Whereabouts

Up = Callable[..., MeshFolder]


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Up]:
    """Pretends that a mesh is up, in a folder that is none of the usual ones."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with ExitStack() as stack:

        def up(name: str, *, manifests: bool = True) -> MeshFolder:
            folder = MeshFolder(tmp_path / name)
            stack.enter_context(folder.taken())
            where = Whereabouts(
                grpc=f"{name}:1",
                rest="",
                files=tmp_path,
                manifests=tmp_path / "m" if manifests else None,
                namespace="ns" if manifests else "",
            )
            stack.enter_context(folder.announced(where))
            return folder

        yield up


def test_the_mesh_that_is_up_is_meant(up: Up) -> None:
    up("plain", manifests=False)
    assert chosen_mesh(Where()) is None
    folder = up("declared")
    assert chosen_mesh(Where()) == folder


def test_of_several_one_must_be_named(up: Up) -> None:
    folders = [up("a"), up("b")]
    with pytest.raises(Refused, match="say which with --mesh"):
        chosen_mesh(Where())
    assert chosen_mesh(Where(mesh=str(folders[1].path))) == folders[1]


def test_kubernetes_is_meant_where_it_is_named(up: Up) -> None:
    up("a")
    assert chosen_mesh(Where(context="prod")) is None
    with pytest.raises(Refused, match="name one"):
        chosen_mesh(Where(context="prod", mesh="a"))


def test_a_mesh_without_manifests_has_no_objects(up: Up) -> None:
    folder = up("a", manifests=False)
    with pytest.raises(Refused, match="without --manifests"):
        chosen_mesh(Where(mesh=str(folder.path)))


async def test_a_local_cluster_has_its_own_namespace(up: Up) -> None:
    up("a")
    async with reached(Where()) as there:
        assert there.namespace == "ns"


async def test_without_any_cluster_both_ways_are_told(up: Up) -> None:
    with pytest.raises(Refused, match=r"remesh up --manifests DIR.*\.kube/config"):
        async with reached(Where()):
            pass
