"""What every connection to a store must do, whatever the store."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from adapter.domain.errors import ObjectMissing, StorageUnreachable
from adapter.storage.repository import RemoteObject, RepositoryClient

AStore = Callable[[Mapping[str, bytes]], Awaitable[RepositoryClient]]
"""Makes a new bucket with these objects, and a connection to it."""

ODD_KEYS = ["plain/key", "with space/a+b&c=d%20.bin", "ünïcode/模型", "semi;colon/quote'\"<>"]


async def listed(client: RepositoryClient, prefix: str) -> list[RemoteObject]:
    return [found async for found in client.objects(prefix)]


class RepositoryClientContract:
    """A subclass offers the fixture `a_store`."""

    async def test_a_listing_has_all_that_begins_alike_in_the_order_of_the_keys(
        self, a_store: AStore
    ) -> None:
        client = await a_store({"m1/b": b"22", "m1/a": b"1", "m10": b"333", "other": b"4"})
        found = await listed(client, "m1")
        assert [(each.key, each.size_bytes) for each in found] == [("m1/a", 1), ("m1/b", 2), ("m10", 3)]

    async def test_a_listing_of_nothing_is_empty(self, a_store: AStore) -> None:
        client = await a_store({"iris": b"1"})
        assert await listed(client, "mnist") == []

    @pytest.mark.parametrize("key", ODD_KEYS)
    async def test_odd_keys_are_listed_as_they_are_and_can_be_fetched(
        self, a_store: AStore, tmp_path: Path, key: str
    ) -> None:
        client = await a_store({key: b"odd"})
        [found] = await listed(client, key[:3])
        await client.fetch(found, tmp_path / "file")
        assert (found.key, (tmp_path / "file").read_bytes()) == (key, b"odd")

    async def test_a_fetch_writes_the_whole_object(self, a_store: AStore, tmp_path: Path) -> None:
        client = await a_store({"iris": b"0123456789"})
        [found] = await listed(client, "iris")
        await client.fetch(found, tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == b"0123456789"

    async def test_ranges_fill_one_file_in_any_order(self, a_store: AStore, tmp_path: Path) -> None:
        client = await a_store({"iris": b"0123456789"})
        [found] = await listed(client, "iris")
        await client.fetch(found, tmp_path / "file", start=6)
        await client.fetch(found, tmp_path / "file", start=2, end=6)
        await client.fetch(found, tmp_path / "file", start=0, end=2)
        assert (tmp_path / "file").read_bytes() == b"0123456789"

    async def test_progress_adds_up_to_what_was_asked_for(self, a_store: AStore, tmp_path: Path) -> None:
        client, arrived = await a_store({"iris": b"0123456789"}), list[int]()
        [found] = await listed(client, "iris")
        await client.fetch(found, tmp_path / "file", start=3, progress=arrived.append)
        assert sum(arrived) == 7

    async def test_an_object_that_has_gone_is_missing(self, a_store: AStore, tmp_path: Path) -> None:
        client = await a_store({"iris": b"1"})
        with pytest.raises(ObjectMissing, match="mnist"):
            await client.fetch(RemoteObject(key="mnist", size_bytes=1), tmp_path / "file")

    async def test_an_object_that_was_replaced_is_not_mixed(self, a_store: AStore, tmp_path: Path) -> None:
        client = await a_store({"iris": b"1"})
        [found] = await listed(client, "iris")
        with pytest.raises(StorageUnreachable, match="replaced"):
            await client.fetch(replace(found, etag='"another"'), tmp_path / "file")

    async def test_fetches_at_once_do_not_disturb_each_other(self, a_store: AStore, tmp_path: Path) -> None:
        contents = {f"part{number}": bytes([number]) * 50 for number in range(10)}
        client = await a_store(contents)
        found = await listed(client, "part")
        await asyncio.gather(*(client.fetch(each, tmp_path / each.key) for each in found))
        assert {name: (tmp_path / name).read_bytes() for name in contents} == contents
