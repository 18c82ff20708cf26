import os
from pathlib import Path

import pytest

from adapter.domain.errors import Refused
from adapter.up.mesh_folder import MeshFolder, MeshIsDown, MeshIsUp, Whereabouts, meshes_up


@pytest.fixture
def folder(tmp_path: Path) -> MeshFolder:
    return MeshFolder(tmp_path / "mesh")


def test_a_mesh_is_up_once(folder: MeshFolder) -> None:
    where = Whereabouts(grpc="127.0.0.1:8033", rest="", files=folder.files)
    refusal = pytest.raises(MeshIsUp, match=rf"process {os.getpid()} has .*answers on 127.0.0.1:8033")
    with folder.taken(), folder.announced(where), refusal:
        folder.taken().__enter__()
    with folder.taken():
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="Not a directory; name another --data-dir"):
        MeshFolder(tmp_path / "file" / "mesh").taken().__enter__()


def test_nobody_else_may_look_into_it(folder: MeshFolder) -> None:
    with folder.taken():
        assert folder.path.stat().st_mode & 0o077 == 0


def test_it_is_known_where_the_mesh_answers_while_it_is_up(folder: MeshFolder) -> None:
    folder.path.mkdir()
    where = Whereabouts(grpc="127.0.0.1:1", rest="127.0.0.1:2", files=folder.files)
    with folder.announced(where):
        assert folder.whereabouts() == where
    with pytest.raises(MeshIsDown, match="remesh up"):
        folder.whereabouts()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"grpc": "a", "rest": "b", "files": 7}'])
def test_a_file_that_says_something_else_is_no_mesh(folder: MeshFolder, text: str) -> None:
    folder.path.mkdir()
    (folder.path / "mesh.json").write_text(text)
    with pytest.raises(MeshIsDown):
        folder.whereabouts()


def test_what_was_pulled_for_instances_that_are_no_more_is_dropped(folder: MeshFolder) -> None:
    folder.prepare(["up-1", "up-2"])
    for name in ("up-1", "up-2"):
        (folder.instance(name) / "model").touch()
    folder.prepare(["up-1"])
    assert (folder.instance("up-1") / "model").exists()
    assert not folder.instance("up-2").exists()


def test_the_socket_is_in_the_folder_and_gone_afterwards(tmp_path: Path) -> None:
    folder = MeshFolder(Path("/tmp") / tmp_path.name)
    with folder.socket_path() as path:
        assert path == folder.path / "registry.sock"


def test_a_folder_with_a_long_name_has_it_elsewhere(tmp_path: Path) -> None:
    with MeshFolder(tmp_path / ("a" * 100)).socket_path() as path:
        assert len(str(path)) < 100
        assert path.parent.is_dir()
    assert not path.parent.exists()


def test_a_mesh_goes_by_its_name_or_its_folder() -> None:
    assert MeshFolder.said("up").path == Path("~/.local/state/remesh/up").expanduser()
    assert MeshFolder.said("./mesh").path == Path("mesh").absolute()


def test_meshes_that_are_up_are_found_wherever_they_are(
    folder: MeshFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    where = Whereabouts(grpc="h:1", rest="", files=folder.files, manifests=tmp_path / "m", namespace="ns")
    assert meshes_up() == []
    with folder.taken(), folder.announced(where):
        assert meshes_up() == [folder]
        assert folder.whereabouts() == where
        (folder.path / "lock").write_text("4194304\n")  # no process has this id
        assert meshes_up() == []
    assert meshes_up() == []
