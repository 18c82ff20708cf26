import asyncio
import base64
from pathlib import Path
from typing import Any

from adapter.aio.groups import cancelled_at_the_end
from adapter.domain.kinds import NAMESPACE, SECRET, Key
from adapter.up.storage_keys import OURS, keep_storage_keys, write_keys
from tests.fakes.memory_cluster import MemoryCluster


def secret(**entries: str) -> dict[str, Any]:
    data = {name: base64.b64encode(value.encode()).decode() for name, value in entries.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "storage-config", "namespace": "default"},
        "data": data,
    }


def there(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.name != OURS}


def test_entries_become_files_for_their_owner_alone(tmp_path: Path) -> None:
    write_keys(tmp_path, secret(localMinIO="{}", second="1"))
    assert there(tmp_path) == {"localMinIO": "{}", "second": "1"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


def test_entries_that_are_gone_take_their_files_and_those_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "by-hand").write_text("{}")
    write_keys(tmp_path, secret(a="1", b="2"))
    write_keys(tmp_path, secret(b="3"))
    assert there(tmp_path) == {"by-hand": "{}", "b": "3"}
    write_keys(tmp_path, None)
    assert there(tmp_path) == {"by-hand": "{}"}


def test_one_bad_entry_harms_no_other(tmp_path: Path) -> None:
    bad = {**secret(good="1")}
    bad["data"] |= {"../out": "MQ==", "..x": "MQ==", "no-base64": "%", "": "MQ=="}
    write_keys(tmp_path / "keys", bad)
    assert there(tmp_path / "keys") == {"good": "1"}
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


def test_without_a_secret_nothing_is_made(tmp_path: Path) -> None:
    write_keys(tmp_path / "keys", None)
    assert not (tmp_path / "keys").exists()


async def test_the_secret_is_followed_in_each_namespace(tmp_path: Path) -> None:
    cluster = MemoryCluster()
    await cluster.create({"metadata": {"name": "other"}}, NAMESPACE)
    cluster.put(secret(a="1"))
    cluster.put({**secret(x="1"), "metadata": {"name": "another-secret", "namespace": "default"}})
    async with cancelled_at_the_end() as owner:
        owner.create_task(
            keep_storage_keys(
                cluster, name="storage-config", folder_of=lambda namespace: tmp_path / namespace
            )
        )
        await asyncio.sleep(1)
        assert there(tmp_path / "default") == {"a": "1"}
        moved = {**secret(b="2"), "metadata": {"name": "storage-config", "namespace": "other"}}
        await cluster.create(moved, SECRET)
        await cluster.delete(Key(kind=SECRET, name="storage-config", namespace="default"))
        await asyncio.sleep(1)
    assert there(tmp_path / "other") == {"b": "2"}
    assert there(tmp_path / "default") == {}
