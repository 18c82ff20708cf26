"""Commands in one place, the one who looks after the folder in another: as two processes see them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from adapter.aio.clock import LoopClock
from adapter.aio.groups import cancelled_at_the_end
from adapter.cluster import local_commands
from adapter.cluster.cluster import Changed, ClusterRefused, ClusterUnavailable, KindMissing, Listed
from adapter.cluster.local import LocalCluster
from adapter.cluster.local_commands import LocalCommands
from adapter.cluster.local_folder import ManifestFolder
from adapter.cluster.local_state import StateFolder
from adapter.domain.kinds import CONFIG_MAP, DEPLOYMENT, EVENT, Key

C = Key(kind=CONFIG_MAP, name="c", namespace="default")


def settings(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}


@pytest.fixture
def commands(tmp_path: Path) -> LocalCommands:
    return LocalCommands(
        ManifestFolder(tmp_path / "m", "default"), StateFolder(tmp_path / "o"), clock=LoopClock()
    )


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[LocalCluster]:
    (tmp_path / "m").mkdir()
    folder, state = ManifestFolder(tmp_path / "m", "default"), StateFolder(tmp_path / "o")
    cluster = LocalCluster(folder, state, clock=LoopClock())
    await cluster.start()
    async with cancelled_at_the_end() as owner:
        owner.create_task(cluster.follow_folder())
        yield cluster


async def test_what_is_applied_is_taken_up(cluster: LocalCluster, commands: LocalCommands) -> None:
    made = await commands.apply(settings(a="1"), CONFIG_MAP)
    assert made == await cluster.get(C) == await commands.get(C)
    after = await commands.apply(settings(a="2"), CONFIG_MAP)
    assert after["data"] == {"a": "2"}
    assert after["metadata"]["uid"] == made["metadata"]["uid"]
    assert await commands.list(CONFIG_MAP, namespace="default") == [after]
    assert await commands.list(CONFIG_MAP, labels={"a": "b"}) == []


async def test_what_is_deleted_is_gone_from_the_folder_and_then_from_the_cluster(
    cluster: LocalCluster, commands: LocalCommands, tmp_path: Path
) -> None:
    made = await commands.apply(settings(), CONFIG_MAP)
    async with aclosing(cluster.follow(CONFIG_MAP)) as news:
        assert isinstance(await anext(news), Listed)
        assert not await commands.delete(C, uid="another")
        assert await commands.delete(C, uid=made["metadata"]["uid"])
        assert await anext(news) == Changed(key=C, manifest=None)
    assert list((tmp_path / "m").iterdir()) == []
    assert not await commands.delete(C)


async def test_changes_are_followed_from_outside(cluster: LocalCluster, commands: LocalCommands) -> None:
    async with asyncio.timeout(20), aclosing(commands.follow(CONFIG_MAP)) as news:
        assert await anext(news) == Listed(objects=[])
        asyncio.get_running_loop().call_later(
            0.2, asyncio.ensure_future, cluster.create(settings(), CONFIG_MAP)
        )
        told = await anext(news)
        assert isinstance(told, Changed)
        assert told.key == C


@pytest.mark.usefixtures("cluster")
async def test_what_no_file_declares_cannot_be_deleted(
    cluster: LocalCluster, commands: LocalCommands
) -> None:
    await cluster.create({"metadata": {"name": "e"}}, EVENT)
    with pytest.raises(ClusterRefused, match="in no file"):
        await commands.delete(Key(kind=EVENT, name="e", namespace="default"))


async def test_nobody_takes_it_up(
    commands: LocalCommands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(local_commands, "TAKEN_S_MAX", 0.2)
    (tmp_path / "o").mkdir()
    with pytest.raises(ClusterUnavailable, match="was not taken up"):
        await commands.apply(settings(), CONFIG_MAP)


async def test_what_is_wrong_is_told_before_anything_is_written(
    commands: LocalCommands, tmp_path: Path
) -> None:
    with pytest.raises(ClusterRefused, match=r"metadata\.name"):
        await commands.apply({**settings(), "metadata": {}}, CONFIG_MAP)
    with pytest.raises(KindMissing, match="deployments"):
        await commands.list(DEPLOYMENT)
    assert not (tmp_path / "m").exists()


async def test_flaws_of_the_folder_are_known(
    cluster: LocalCluster, commands: LocalCommands, tmp_path: Path
) -> None:
    (tmp_path / "m" / "bad.yaml").write_text("[")
    async with asyncio.timeout(20):
        while not commands.flaws():
            await LoopClock().sleep(0.05)
    assert str(commands.flaws()[0]).startswith("bad.yaml, document 1: ")
