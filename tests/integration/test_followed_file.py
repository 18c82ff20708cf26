"""On a real disk, with the system's own watcher; `test_dataplane_file.py` has what befalls such a file."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapter.domain.errors import InvalidRequest
from adapter.instance import followed_file
from adapter.instance.followed_file import FollowedFile

WAIT_S_MAX = 10.0
CHECK_S = 0.02


class Number(FollowedFile[int]):
    """A file that says a number, and tells when it is read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, variable="THE_NUMBER_PATH", what="the number", parse=int)
        self._reads = asyncio.Semaphore(0)

    async def looked_at(self) -> None:
        """Wait until what is there now was read, and used."""
        while not self._reads.locked():
            await self._reads.acquire()
        async with asyncio.timeout(WAIT_S_MAX):
            for _ in range(3):  # the first may have begun before now; each is used before the next
                await self._reads.acquire()

    async def _read(self) -> bytes:
        self._reads.release()
        return await super()._read()


@asynccontextmanager
async def following(file: Number) -> AsyncIterator["asyncio.Queue[int]"]:
    changes: asyncio.Queue[int] = asyncio.Queue()
    task = asyncio.ensure_future(file.follow(changes.put_nowait, check_s=CHECK_S))
    try:
        yield changes
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def the_next(changes: "asyncio.Queue[int]") -> int:
    async with asyncio.timeout(WAIT_S_MAX):
        return await changes.get()


def put(path: Path, text: str) -> None:
    """At once, so that nobody sees a half."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").rename(path)


async def test_what_it_says_is_read_first_and_then_each_change(tmp_path: Path) -> None:
    path = tmp_path / "number"
    put(path, "1")
    file = Number(path)
    assert await file.read() == 1
    async with following(file) as changes:
        for number in (2, 3):
            put(path, str(number))
            assert await the_next(changes) == number


async def test_the_same_again_is_no_change(tmp_path: Path) -> None:
    path = tmp_path / "number"
    put(path, "1")
    file = Number(path)
    await file.read()
    async with following(file) as changes:
        put(path, "1")
        await file.looked_at()
        put(path, "2")
        assert await the_next(changes) == 2


async def test_what_means_nothing_is_told_and_followed_by_what_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "number"
    put(path, "1")
    file = Number(path)
    await file.read()
    put(path, "one")
    async with following(file) as changes:
        await file.looked_at()
        assert changes.empty()
        put(path, "2")
        assert await the_next(changes) == 2
    assert caplog.records[0].getMessage() == "the number stays as it was"
    assert vars(caplog.records[0])["error"].startswith(f"THE_NUMBER_PATH: {path} invalid literal")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(None, "cannot be read: No such file", id="away"),
        pytest.param(b"\xff", "is not UTF-8", id="no text"),
        pytest.param(b"1" * 101, "is larger than 100 bytes", id="too large"),
        pytest.param(b"one", "invalid literal", id="no number"),
    ],
)
async def test_a_first_reading_that_fails_names_the_variable_and_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, complaint: str
) -> None:
    monkeypatch.setattr(followed_file, "FILE_BYTES_MAX", 100)
    path = tmp_path / "number"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidRequest, match=f"THE_NUMBER_PATH: {path} {complaint}"):
        await Number(path).read()


def test_a_file_shows_where_it_is() -> None:
    assert repr(Number(Path("/etc/number"))) == "<FollowedFile /etc/number>"
