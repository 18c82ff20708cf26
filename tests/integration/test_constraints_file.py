"""On a real disk, with the system's own watcher."""

import asyncio
from pathlib import Path

import pytest

from adapter.domain.errors import InvalidRequest
from adapter.instance.constraints_file import ConstraintsFile
from adapter.mesh.constraints import TypeConstraints

WAIT_S_MAX = 10.0


def requiring(label: str) -> str:
    return f'{{"rt:triton": {{"required": ["{label}"]}}}}'


async def test_new_constraints_are_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "constraints.json"
    path.write_text(requiring("gpu"))
    file = ConstraintsFile(path)
    assert (await file.read()).required("rt:triton") == ("gpu",)
    path.write_text(requiring("cpu"))
    changes: asyncio.Queue[TypeConstraints] = asyncio.Queue()
    following = asyncio.ensure_future(file.follow(changes.put_nowait))
    async with asyncio.timeout(WAIT_S_MAX):
        assert (await changes.get()).required("rt:triton") == ("cpu",)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(None, "cannot be read: No such file", id="away"),
        pytest.param("{", "is no JSON", id="no JSON"),
        pytest.param('{"t": {"requires": []}}', "requires", id="an unknown property"),
    ],
)
async def test_a_start_without_usable_constraints_says_what_is_wrong(
    tmp_path: Path, text: str | None, complaint: str
) -> None:
    path = tmp_path / "constraints.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidRequest, match=f"MM_TYPE_CONSTRAINTS_PATH: {path} .*{complaint}"):
        await ConstraintsFile(path).read()
