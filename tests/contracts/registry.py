"""What every registry must do, wherever it keeps its entries."""

import asyncio

import pytest

from adapter.registry.registry import Entry, Registry

ODD_KEYS = ["a b", "a/b/../c", "模型", "ünïcode\n", "\x00", "\U0010ffff", "'; DROP TABLE entries; --"]


async def keys(registry: Registry, prefix: str, *, after: str = "", limit: int = 100) -> list[str]:
    return [entry.key for entry in await registry.scan(prefix, after=after, limit=limit)]


class RegistryContract:
    """A subclass offers the fixture `registry`: a new, empty one."""

    async def test_what_was_never_written_is_not_there(self, registry: Registry) -> None:
        assert await registry.get("iris") is None
        assert await registry.scan("", limit=10) == []

    async def test_what_was_written_is_read_with_the_revision_of_its_commit(self, registry: Registry) -> None:
        revision = await registry.commit({"iris": b"1", "mnist": b"2"}, guards={})
        assert revision is not None
        assert await registry.get("iris") == Entry(key="iris", value=b"1", mod_revision=revision)
        assert await registry.get("mnist") == Entry(key="mnist", value=b"2", mod_revision=revision)

    async def test_revisions_only_rise_over_the_whole_store(self, registry: Registry) -> None:
        first = await registry.commit({"iris": b"1"}, guards={})
        second = await registry.commit({"mnist": b"1"}, guards={})
        third = await registry.commit({"iris": b"2"}, guards={})
        assert first is not None
        assert (second, third) == (first + 1, first + 2)
        assert (await self.revision_of(registry, "mnist")) == second

    async def test_writing_the_same_value_again_is_a_change(self, registry: Registry) -> None:
        first = await registry.commit({"iris": b"1"}, guards={})
        assert await registry.commit({"iris": b"1"}, guards={}) != first

    async def test_of_two_writers_with_one_view_the_second_loses(self, registry: Registry) -> None:
        seen = await registry.commit({"iris": b"0"}, guards={"iris": 0})
        assert seen is not None
        assert await registry.commit({"iris": b"a"}, guards={"iris": seen}) is not None
        assert await registry.commit({"iris": b"b"}, guards={"iris": seen}) is None
        assert (await self.value_of(registry, "iris")) == b"a"

    async def test_a_key_is_created_once(self, registry: Registry) -> None:
        assert await registry.commit({"iris": b"1"}, guards={"iris": 0}) is not None
        assert await registry.commit({"iris": b"2"}, guards={"iris": 0}) is None

    async def test_when_one_guard_fails_nothing_is_written(self, registry: Registry) -> None:
        revision = await registry.commit({"guard": b"1"}, guards={})
        assert revision is not None
        guards = {"guard": revision, "other": 5}
        assert await registry.commit({"iris": b"1", "mnist": b"2"}, guards=guards) is None
        assert await keys(registry, "") == ["guard"]

    async def test_a_guard_may_be_another_key_than_what_is_written(self, registry: Registry) -> None:
        leader = await registry.commit({"leader": b"me"}, guards={})
        assert leader is not None
        assert await registry.commit({"iris": b"1"}, guards={"leader": leader}) == leader + 1

    async def test_what_is_deleted_is_gone_and_can_be_created_anew(self, registry: Registry) -> None:
        await registry.commit({"iris": b"1"}, guards={})
        assert await registry.commit({"iris": None}, guards={}) is not None
        assert await registry.get("iris") is None
        assert await registry.commit({"iris": b"2"}, guards={"iris": 0}) is not None

    async def test_what_changes_nothing_has_no_revision_of_its_own(self, registry: Registry) -> None:
        revision = await registry.commit({"iris": b"1"}, guards={})
        assert await registry.commit({"mnist": None}, guards={}) == revision
        assert await registry.commit({}, guards={"mnist": 0}) == revision

    async def test_a_scan_has_what_begins_alike_in_order_of_key(self, registry: Registry) -> None:
        await registry.commit(dict.fromkeys(["m/b", "m/a", "m", "n", "m0", "l"], b"1"), guards={})
        assert await keys(registry, "m/") == ["m/a", "m/b"]
        assert await keys(registry, "m") == ["m", "m/a", "m/b", "m0"]
        assert await keys(registry, "") == ["l", "m", "m/a", "m/b", "m0", "n"]

    async def test_pages_join_without_gap_or_overlap(self, registry: Registry) -> None:
        wanted = [f"m/{number:03}" for number in range(25)]
        await registry.commit(dict.fromkeys([*wanted, "n/1"], b"1"), guards={})
        found: list[str] = []
        while page := await keys(registry, "m/", after=found[-1] if found else "", limit=10):
            found += page
        assert found == wanted

    async def test_a_page_may_begin_after_a_key_that_is_gone(self, registry: Registry) -> None:
        await registry.commit({"m/a": b"1", "m/c": b"1"}, guards={})
        assert await keys(registry, "m/", after="m/b") == ["m/c"]
        assert await keys(registry, "m/", after="a") == ["m/a", "m/c"]
        assert await keys(registry, "m/", after="z") == []

    async def test_odd_keys_are_kept_as_they_are(self, registry: Registry) -> None:
        await registry.commit({f"m/{key}": key.encode() for key in ODD_KEYS}, guards={})
        assert await keys(registry, "m/") == sorted(f"m/{key}" for key in ODD_KEYS)
        assert await keys(registry, "\U0010ffff") == []

    async def test_odd_values_are_kept_as_they_are(self, registry: Registry) -> None:
        for value in (b"", b"\x00\xff", bytes(range(256)) * 1000):
            await registry.commit({"iris": value}, guards={})
            assert (await self.value_of(registry, "iris")) == value

    async def test_a_page_without_room_is_refused(self, registry: Registry) -> None:
        with pytest.raises(ValueError, match="limit"):
            await registry.scan("", limit=0)

    async def test_of_many_at_once_each_guard_is_held(self, registry: Registry) -> None:
        tries = (registry.commit({"iris": bytes([number])}, guards={"iris": 0}) for number in range(50))
        revisions = await asyncio.gather(*tries)
        assert len([revision for revision in revisions if revision is not None]) == 1

    async def test_a_commit_is_seen_by_all_who_ask_after_it(self, registry: Registry) -> None:
        writes = (registry.commit({f"m/{number}": b"1"}, guards={}) for number in range(50))
        revisions = await asyncio.gather(*writes)
        assert len(set(revisions)) == 50
        assert len(await keys(registry, "m/")) == 50

    async def value_of(self, registry: Registry, key: str) -> bytes:
        entry = await registry.get(key)
        assert entry is not None
        return entry.value

    async def revision_of(self, registry: Registry, key: str) -> int:
        entry = await registry.get(key)
        assert entry is not None
        return entry.mod_revision
