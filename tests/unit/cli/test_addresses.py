from contextlib import ExitStack
from pathlib import Path

import pytest

from adapter.cli.addresses import USUAL_ADDRESS, found
from adapter.up.mesh_folder import MeshFolder, Whereabouts


def test_the_address_is_that_of_the_mesh_that_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with ExitStack() as stack:
        told = [found("")]
        for name in ("a", "b"):
            folder = MeshFolder(tmp_path / name)
            stack.enter_context(folder.taken())
            where = Whereabouts(grpc=f"{name}:1", rest="", files=tmp_path)
            stack.enter_context(folder.announced(where))
            told.append(found(""))
        assert told == [USUAL_ADDRESS, "a:1", USUAL_ADDRESS]
        assert found("c:2") == "c:2"
