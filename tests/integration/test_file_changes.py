"""On a real disk, with the system's own watcher."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapter.aio import file_changes
from adapter.aio.file_changes import keep_looking

WAIT_S_MAX = 10.0
NEVER_S = 3600.0


class Reader:
    """Reads a file when told to, and lets a test wait for what it read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = asyncio.Condition()
        self.text = ""

    async def look(self) -> None:
        async with self._read:
            self.text = self._path.read_text() if self._path.exists() else "away"
            self._read.notify_all()

    async def saw(self, text: str) -> None:
        async with asyncio.timeout(WAIT_S_MAX), self._read:
            await self._read.wait_for(lambda: self.text == text)


@asynccontextmanager
async def reading(path: Path, *, check_s: float = NEVER_S) -> AsyncIterator[Reader]:
    reader = Reader(path)
    looking = asyncio.ensure_future(keep_looking([path], reader.look, check_s=check_s))
    try:
        yield reader
    finally:
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking


def mounted(volume: Path, text: str) -> Path:
    """A file as the kubelet mounts it, or a new content of it."""
    data = volume / f"..{text}"
    data.mkdir(parents=True)
    (data / "config").write_text(text)
    (volume / "..new").symlink_to(data.name)
    (volume / "..new").rename(volume / "..data")
    path = volume / "config"
    if not path.is_symlink():
        path.symlink_to("..data/config")
    return path


def edited(path: Path) -> None:
    path.write_text("second")


def replaced(path: Path) -> None:
    (path.parent / "other").write_text("second")
    (path.parent / "other").rename(path)


@pytest.mark.parametrize("change", [edited, replaced])
async def test_a_file_is_read_again_when_it_changed(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "config"
    path.write_text("first")
    async with reading(path) as reader:
        await reader.saw("first")
        change(path)
        await reader.saw("second")


async def test_a_config_map_is_swapped(tmp_path: Path) -> None:
    path = mounted(tmp_path / "volume", "first")
    async with reading(path) as reader:
        for text in ("first", "second", "third"):
            if text != "first":
                mounted(tmp_path / "volume", text)
            await reader.saw(text)


async def test_what_no_event_tells_of_is_found_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "real").write_text("first")
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "config"
    path.symlink_to(tmp_path / "elsewhere" / "real")
    async with reading(path, check_s=0.1) as reader:
        await reader.saw("first")
        edited(tmp_path / "elsewhere" / "real")
        await reader.saw("second")


async def test_a_folder_that_comes_later_is_found(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "config"
    async with reading(path, check_s=0.1) as reader:
        await reader.saw("away")
        path.parent.mkdir()
        edited(path)
        await reader.saw("second")


async def test_without_a_watcher_the_file_is_looked_at_from_time_to_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_watcher(*_folders: object, **_options: object) -> object:
        raise OSError(24, "inotify limit reached")

    monkeypatch.setattr(file_changes, "awatch", no_watcher)
    path = tmp_path / "config"
    path.write_text("first")
    async with reading(path, check_s=0.05) as reader:
        await reader.saw("first")
        edited(path)
        await reader.saw("second")
