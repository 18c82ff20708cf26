import os
from pathlib import Path

import pytest

from tests.kubelet.environment import NotThereYet
from tests.kubelet.volumes import DATA, File, chosen, write_at_once


def read(folder: Path) -> dict[str, bytes]:
    """As a program sees it that knows nothing of links."""
    seen: dict[str, bytes] = {}
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith("..")]
        seen |= {
            str(Path(place, name).relative_to(folder)): Path(place, name).read_bytes()
            for name in names
            if name != DATA
        }
    return seen


def test_files_are_written_and_replaced(tmp_path: Path) -> None:
    write_at_once(tmp_path, {"a": File(content=b"1"), "deep/b": File(content=b"2", mode=0o400)})
    assert read(tmp_path) == {"a": b"1", "deep/b": b"2"}
    assert (tmp_path / "deep/b").stat().st_mode & 0o777 == 0o400
    write_at_once(tmp_path, {"a": File(content=b"3"), "c": File(content=b"4")})
    assert read(tmp_path) == {"a": b"3", "c": b"4"}


def test_who_has_the_folder_open_sees_all_as_it_was_or_as_it_is(tmp_path: Path) -> None:
    write_at_once(tmp_path, {"a": File(content=b"1"), "b": File(content=b"1")})
    before = (tmp_path / DATA).readlink()
    write_at_once(tmp_path, {"a": File(content=b"2"), "b": File(content=b"2")})
    assert (tmp_path / "a").readlink() == Path(DATA, "a")
    assert (tmp_path / DATA).readlink() != before
    assert not (tmp_path / before).exists()


def test_a_volume_may_be_empty(tmp_path: Path) -> None:
    write_at_once(tmp_path, {})
    assert read(tmp_path) == {}


def test_items_choose_entries_and_their_places() -> None:
    told = {"items": [{"key": "a", "path": "x/y", "mode": 0o600}]}
    assert chosen({"a": b"1", "b": b"2"}, told, mode=0o644) == {"x/y": File(content=b"1", mode=0o600)}


def test_a_missing_item_is_waited_for_unless_it_is_optional() -> None:
    items = {"items": [{"key": "gone", "path": "x"}]}
    with pytest.raises(NotThereYet, match="gone"):
        chosen({}, items, mode=0o644)
    assert chosen({}, {**items, "optional": True}, mode=0o644) == {}
