import errno
import os
from pathlib import Path

import pytest

from adapter.domain.errors import Broken, DiskFull
from adapter.domain.ids import ModelId
from adapter.storage.disk import ModelRoot, disk_words


@pytest.fixture
def root(tmp_path: Path) -> ModelRoot:
    root = ModelRoot(tmp_path / "models")
    root.prepare()
    return root


def staged(root: ModelRoot, **files: str) -> Path:
    place = root.staging_place()
    root.stage(place)
    for name, content in files.items():
        (place / name).write_text(content)
    return place


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_each_model_and_each_runtime_has_its_place(root: ModelRoot) -> None:
    assert root.folder(ModelId("iris")) == root.path / "iris"
    assert root.folder(ModelId("../etc")) == root.path / "%2E.%2Fetc"
    assert root.area("mlserver") == root.path / "_mlserver_models"


def test_a_published_folder_is_complete(root: ModelRoot) -> None:
    root.publish(staged(root, model="a", schema="b"), root.path / "iris")
    assert names(root.path / "iris") == {"model", "schema"}


def test_a_published_folder_replaces_what_was_there(root: ModelRoot) -> None:
    for content in ("old", "new"):
        root.publish(staged(root, **{content: content}), root.path / "iris")
    assert names(root.path / "iris") == {"new"}
    assert list((root.path / ".staging").iterdir()) == []


def test_a_file_or_a_link_in_the_way_is_replaced_too(root: ModelRoot, tmp_path: Path) -> None:
    (root.path / "file").write_text("x")
    (root.path / "link").symlink_to(tmp_path)
    for name in ("file", "link"):
        root.publish(staged(root, model="a"), root.path / name)
        assert names(root.path / name) == {"model"}
    assert tmp_path.exists()


def test_an_area_is_made_with_its_first_folder(root: ModelRoot) -> None:
    root.publish(staged(root, model="a"), root.area("mlserver") / "iris")
    assert names(root.area("mlserver")) == {"iris"}


def test_what_is_discarded_is_gone_and_links_are_not_followed(root: ModelRoot, tmp_path: Path) -> None:
    (tmp_path / "claim").mkdir()
    place = staged(root, model="a")
    (place / "link").symlink_to(tmp_path / "claim")
    root.publish(place, root.path / "iris")
    root.discard(root.path / "iris")
    root.discard(root.path / "iris")
    assert names(root.path) == set()
    assert list((root.path / ".staging").iterdir()) == []
    assert (tmp_path / "claim").exists()


def test_something_is_discarded_even_if_the_staging_folder_has_gone(root: ModelRoot) -> None:
    (root.path / "iris").mkdir()
    root.discard(root.path / "iris")
    assert names(root.path) == set()


def test_leftovers_are_swept_at_start(root: ModelRoot) -> None:
    staged(root, half="done")
    root.publish(staged(root, model="a"), root.path / "iris")
    ModelRoot(root.path).prepare()
    assert not (root.path / ".staging").exists()
    assert names(root.path) == {"iris"}


def test_a_purge_leaves_areas_files_and_links(root: ModelRoot, tmp_path: Path) -> None:
    for folder in ("iris", "%5Fodd", "_mlserver_models/iris", "_mine", "lost+found"):
        (root.path / folder).mkdir(parents=True)
    (root.path / "model_config_list.json").write_text("{}")
    (root.path / "link").symlink_to(tmp_path)
    ModelRoot(root.path).purge()
    assert names(root.path) == {"_mlserver_models", "_mine", "lost+found", "model_config_list.json", "link"}
    assert names(root.area("mlserver")) == set()


def test_a_purge_spares_a_root_that_was_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    for _ in range(2):
        root = ModelRoot(tmp_path)
        root.prepare()
        root.purge()
    assert names(tmp_path) == {"thesis"}


def test_too_little_room_is_said_with_the_figures(tmp_path: Path) -> None:
    root = ModelRoot(tmp_path, free_bytes=lambda _: 100)
    room = root.stage(root.staging_place())
    room.require(100)
    with pytest.raises(DiskFull, match=f"needs 101 bytes and {tmp_path} has 100 free"):
        room.require(101)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_has_its_own_error(tmp_path: Path, number: int) -> None:
    with pytest.raises(DiskFull, match=f"no room is left on disk for {tmp_path}"), disk_words(tmp_path):
        raise OSError(number, os.strerror(number))


def test_a_disk_that_refuses_is_broken(tmp_path: Path) -> None:
    with pytest.raises(Broken, match=f"refuses {tmp_path}: Permission denied"), disk_words(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied")
