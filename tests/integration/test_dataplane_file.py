"""On a real disk, with the system's own watcher."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapter.domain.errors import InvalidRequest
from adapter.instance import followed_file
from adapter.instance.dataplane_file import DataplaneFile
from adapter.wire.dataplane import DataplaneConfig

WAIT_S_MAX = 10.0
NEVER_S = 3600.0


class Counted(DataplaneFile):
    """Tells how often it was read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.reads = asyncio.Semaphore(0)

    async def _read(self) -> bytes:
        self.reads.release()
        return await super()._read()


def config(method: str) -> str:
    return f'{{"rpcConfigs": {{"a.B/{method}": {{"idExtractionPath": [1]}}}}}}'


@asynccontextmanager
async def following(
    file: DataplaneFile, *, check_s: float = NEVER_S
) -> AsyncIterator["asyncio.Queue[DataplaneConfig]"]:
    changes: asyncio.Queue[DataplaneConfig] = asyncio.Queue()
    following = asyncio.ensure_future(file.follow(changes.put_nowait, check_s=check_s))
    try:
        yield changes
    finally:
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following


async def the_next(changes: "asyncio.Queue[DataplaneConfig]") -> list[str]:
    async with asyncio.timeout(WAIT_S_MAX):
        return list((await changes.get()).methods)


async def test_a_new_configuration_is_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "dataplane.json"
    path.write_text(config("C"))
    file = DataplaneFile(path)
    assert list((await file.read()).methods) == ["a.B/C"]
    path.write_text(config("D"))  # between the first reading and the following
    async with following(file) as changes:
        assert await the_next(changes) == ["a.B/D"]
        path.write_text(config("E"))
        assert await the_next(changes) == ["a.B/E"]


async def test_a_config_map_is_swapped(tmp_path: Path) -> None:
    for name in "CD":
        (tmp_path / f"..{name}").mkdir()
        (tmp_path / f"..{name}" / "dataplane.json").write_text(config(name))
    (tmp_path / "..data").symlink_to("..C")
    path = tmp_path / "dataplane.json"
    path.symlink_to("..data/dataplane.json")
    file = DataplaneFile(path)
    assert list((await file.read()).methods) == ["a.B/C"]
    async with following(file) as changes:
        (tmp_path / "..data_tmp").symlink_to("..D")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")
        assert await the_next(changes) == ["a.B/D"]


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        pytest.param(b"{", "is no JSON", id="no JSON"),
        pytest.param(b'{"rpcs": 1}', "rpcs is unknown", id="an unknown property"),
        pytest.param(b"\xff", "is not UTF-8", id="no text"),
        pytest.param(b" " * 2000, "is larger than 1000 bytes", id="too large"),
        pytest.param(None, "cannot be read: No such file", id="away"),
    ],
)
async def test_what_cannot_be_used_changes_nothing_and_is_told_once(
    tmp_path: Path,
    bad: bytes | None,
    complaint: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(followed_file, "FILE_BYTES_MAX", 1000)
    path = tmp_path / "dataplane.json"
    path.write_text(config("C"))
    file = Counted(path)
    await file.read()
    if bad is None:
        path.unlink()
    else:
        path.write_bytes(bad)
    caplog.set_level(logging.ERROR)
    async with following(file, check_s=0.02) as changes:
        for _ in range(5):
            async with asyncio.timeout(WAIT_S_MAX):
                await file.reads.acquire()
        (tmp_path / "new").write_text(config("D"))
        (tmp_path / "new").rename(path)
        assert await the_next(changes) == ["a.B/D"]
    (record,) = caplog.records
    assert complaint in vars(record)["error"]


async def test_a_start_without_a_usable_file_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"MM_DATAPLANE_CONFIG_PATH: .* cannot be read: No such file"):
        await DataplaneFile(tmp_path / "none").read()
    (tmp_path / "bad").write_text("[]")
    with pytest.raises(InvalidRequest, match="bad must be a JSON object"):
        await DataplaneFile(tmp_path / "bad").read()
