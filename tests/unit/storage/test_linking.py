from pathlib import Path, PurePosixPath

import pytest

from adapter.domain.errors import ObjectMissing
from adapter.storage.linking import link
from adapter.storage.pvc import Folder
from adapter.storage.repository import PullTarget


@pytest.fixture
def claim(tmp_path: Path) -> Folder:
    (tmp_path / "data/model/sub").mkdir(parents=True)
    (tmp_path / "data/model/sub/weights").write_text("0.5")
    (tmp_path / "data/model/relative").symlink_to("sub/weights")
    (tmp_path / "data/model/round").symlink_to(".")
    (tmp_path / "data/model/nowhere").symlink_to("gone")
    (tmp_path / "data/empty").mkdir()
    return Folder(tmp_path / "data", uri="pvc://data", origin="")


def test_a_folder_is_linked_under_the_name_that_was_asked_for(claim: Folder, tmp_path: Path) -> None:
    sizes = link(claim, PullTarget(remote_path="model", local_name="mine"), tmp_path / "staged")
    assert (tmp_path / "staged/mine").readlink() == tmp_path / "data/model"
    assert sizes == {PurePosixPath("sub/weights"): 3, PurePosixPath("relative"): 3}


def test_a_file_has_the_path_of_itself(claim: Folder, tmp_path: Path) -> None:
    target = PullTarget(remote_path="model/relative", local_name="mine")
    assert link(claim, target, tmp_path / "staged") == {PurePosixPath(): 3}
    assert (tmp_path / "staged/mine").read_text() == "0.5"


def test_a_folder_without_files_is_missing(claim: Folder, tmp_path: Path) -> None:
    with pytest.raises(ObjectMissing, match="pvc://data/empty is no file, and no folder with one"):
        link(claim, PullTarget(remote_path="empty", local_name="mine"), tmp_path / "staged")
