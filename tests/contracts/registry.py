"""What every registry must do, wherever it keeps its entries."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from adapter.registry.registry import Change, Changes, Entry, LeaseLost, Registry, Reset

ODD_KEYS = ["a b", "a/b/../c", "模型", "ünïcode\n", "\x00", "\U0010ffff", "'; DROP TABLE entries; --"]


PATIENCE_S = 20.0
LONG_S = 600
"""Of a lease that is to outlive the test."""

T = TypeVar("T")


class Followed:
    """What somebody who follows a registry is told."""

    def __init__(self, news: AsyncIterator[Reset | Changes]) -> None:
        self._news = news

    async def next(self) -> Reset | Changes:
        async with asyncio.timeout(PATIENCE_S):
            return await anext(self._news)

    async def reset(self) -> Reset:
        told = await self.next()
        assert isinstance(told, Reset)
        return told

    async def changes(self, count: int) -> list[Change]:
        """So many changes, and no reset among them."""
        found: list[Change] = []
        while len(found) < count:
            told = await self.next()
            assert isinstance(told, Changes)
            assert told.changes
            found += told.changes
        return found

    async def values(self, *, until: str) -> dict[str, bytes]:
        """What is known to be there once the key `until` is among it."""
        values: dict[str, bytes] = {}
        while until not in values:
            told = await self.next()
            if isinstance(told, Reset):
                values = {entry.key: entry.value for entry in known(told.entries)}
                continue
            for change in told.changes:
                values.pop(change.key, None)
                if change.entry is not None:
                    values[change.key] = change.entry.value
        return values


@asynccontextmanager
async def following(registry: Registry, prefix: str, *, contents: bool = True) -> AsyncIterator[Followed]:
    """Follow a prefix within the block."""
    news = registry.follow(prefix, contents=contents)
    try:
        yield Followed(news)
    finally:
        close = getattr(news, "aclose", None)
        if close is not None:
            await close()


def known(thing: T | None) -> T:
    """It is there."""
    assert thing is not None
    return thing


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
        for key, value in (("iris", b"1"), ("mnist", b"2")):
            wanted = Entry(key=key, value=value, mod_revision=revision, create_revision=revision)
            assert await registry.get(key) == wanted

    async def test_the_revision_that_wrote_it_first_stays_until_it_is_deleted(
        self, registry: Registry
    ) -> None:
        first = await registry.commit({"iris": b"1"}, guards={})
        await registry.commit({"iris": b"2"}, guards={})
        assert known(await registry.get("iris")).create_revision == first
        await registry.commit({"iris": None}, guards={})
        anew = await registry.commit({"iris": b"3"}, guards={})
        assert known(await registry.get("iris")).create_revision == anew

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
        writes = (registry.commit({f"m/{number}": b"1"}, guards={}) for number in range(300))
        revisions = await asyncio.gather(*writes)
        found = await registry.scan("m/", limit=1000)
        assert {entry.key: entry.mod_revision for entry in found} == {
            f"m/{number}": revision for number, revision in enumerate(revisions)
        }

    async def test_of_many_writers_of_one_key_each_is_told_its_own_revision(self, registry: Registry) -> None:
        writes = (registry.commit({"iris": bytes([number])}, guards={}) for number in range(20))
        revisions = await asyncio.gather(*writes)
        assert len(set(revisions)) == 20
        last = known(await registry.get("iris"))
        assert last.mod_revision == max(map(known, revisions))
        assert last.value == bytes([revisions.index(last.mod_revision)])

    async def test_two_who_each_exclude_the_other_do_not_both_succeed(self, registry: Registry) -> None:
        for number in range(10):
            one, other = f"one/{number}", f"other/{number}"
            outcomes = await asyncio.gather(
                registry.commit({one: b"1"}, guards={other: 0}),
                registry.commit({other: b"1"}, guards={one: 0}),
            )
            assert outcomes.count(None) == 1

    async def test_one_whose_guard_fails_does_not_harm_those_beside_it(self, registry: Registry) -> None:
        await registry.commit({"there": b"1"}, guards={})
        outcomes = await asyncio.gather(
            registry.commit({"a": b"1"}, guards={"a": 0}),
            registry.commit({"b": b"1", "c": b"1"}, guards={"there": 0}),
            registry.commit({"d": b"1", "e": b"1"}, guards={}),
            registry.commit({"there": None, "f": b"1"}, guards={"f": 0}),
        )
        assert [outcome is None for outcome in outcomes] == [False, True, False, False]
        assert await keys(registry, "") == ["a", "d", "e", "f"]

    async def test_a_commit_of_many_keys_is_one_change(self, registry: Registry) -> None:
        wanted = [f"m/{number:03}" for number in range(100)]
        revision = await registry.commit(dict.fromkeys(wanted, b"1"), guards=dict.fromkeys(wanted, 0))
        assert {entry.mod_revision for entry in await registry.scan("m/", limit=1000)} == {revision}

    async def test_what_begins_alike_is_counted(self, registry: Registry) -> None:
        assert await registry.count("m/") == 0
        await registry.commit(dict.fromkeys(["m/a", "m/b", "m", "n"], b"1"), guards={})
        assert await registry.count("m/") == 2
        assert await registry.count("") == 4

    # Leases.

    async def test_what_is_written_under_a_lease_is_gone_with_it(self, registry: Registry) -> None:
        lease = await registry.grant(LONG_S)
        await registry.commit({"a": b"1", "b": b"1"}, guards={}, lease=lease)
        await registry.commit({"c": b"1"}, guards={})
        assert known(await registry.get("a")).lease == lease
        await registry.revoke(lease)
        assert await keys(registry, "") == ["c"]

    async def test_a_lease_that_nobody_keeps_alive_ends(self, registry: Registry) -> None:
        kept, forgotten = await registry.grant(2), await registry.grant(2)
        await registry.commit({"kept": b"1"}, guards={}, lease=kept)
        await registry.commit({"forgotten": b"1"}, guards={}, lease=forgotten)
        async with asyncio.timeout(PATIENCE_S):
            while await registry.get("forgotten") is not None:
                await registry.keep_alive(kept)
                await asyncio.sleep(0.2)
        assert await registry.get("kept") is not None
        with pytest.raises(LeaseLost):
            await registry.keep_alive(forgotten)
        await registry.revoke(kept)

    async def test_nothing_is_written_under_a_lease_that_has_ended(self, registry: Registry) -> None:
        lease = await registry.grant(LONG_S)
        await registry.revoke(lease)
        with pytest.raises(LeaseLost):
            await registry.commit({"iris": b"1"}, guards={}, lease=lease)
        with pytest.raises(LeaseLost):
            await registry.keep_alive(lease)
        assert await registry.get("iris") is None

    async def test_a_lease_that_has_ended_may_be_revoked(self, registry: Registry) -> None:
        lease = await registry.grant(LONG_S)
        await registry.revoke(lease)
        await registry.revoke(lease)

    async def test_what_is_written_anew_without_the_lease_stays(self, registry: Registry) -> None:
        first, second = await registry.grant(LONG_S), await registry.grant(LONG_S)
        await registry.commit({"a": b"1", "b": b"1"}, guards={}, lease=first)
        await registry.commit({"a": b"2"}, guards={})
        await registry.commit({"b": b"2"}, guards={}, lease=second)
        await registry.revoke(first)
        assert await keys(registry, "") == ["a", "b"]
        await registry.revoke(second)
        assert await keys(registry, "") == ["a"]

    async def test_one_whose_lease_has_ended_does_not_harm_those_beside_it(self, registry: Registry) -> None:
        living, ended = await registry.grant(LONG_S), await registry.grant(LONG_S)
        await registry.revoke(ended)
        outcomes = await asyncio.gather(
            registry.commit({"a": b"1"}, guards={"a": 0}),
            registry.commit({"b": b"1"}, guards={}, lease=ended),
            registry.commit({"c": b"1"}, guards={"c": 0}, lease=living),
            registry.commit({"d": b"1"}, guards={"d": 0}, lease=ended),
            registry.commit({"e": b"1"}, guards={"e": 1}),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [int, LeaseLost, int, LeaseLost, type(None)]
        assert await keys(registry, "") == ["a", "c"]
        await registry.revoke(living)

    # Following.

    async def test_who_follows_is_first_told_what_is_there(self, registry: Registry) -> None:
        revision = await registry.commit(dict.fromkeys(["m/b", "m/a", "n/a"], b"1"), guards={})
        async with following(registry, "m/") as told:
            reset = await told.reset()
        assert [entry.key for entry in known(reset.entries)] == ["m/a", "m/b"]
        assert list(known(reset.entries)) == list(await registry.scan("m/", limit=10))
        assert reset.revision == revision

    async def test_where_nothing_is_nothing_is_told(self, registry: Registry) -> None:
        async with following(registry, "m/") as told:
            assert known((await told.reset()).entries) == []

    async def test_who_wants_no_contents_gets_none(self, registry: Registry) -> None:
        await registry.commit({"m/a": b"1"}, guards={})
        async with following(registry, "m/", contents=False) as told:
            assert (await told.reset()).entries is None
            revision = await registry.commit({"m/a": None}, guards={})
            assert await told.changes(1) == [Change(key="m/a", entry=None, revision=known(revision))]

    async def test_each_change_is_told_in_its_order(self, registry: Registry) -> None:
        async with following(registry, "m/") as told:
            await told.reset()
            first = known(await registry.commit({"m/a": b"1", "m/b": b"1"}, guards={}))
            await registry.commit({"n/a": b"1"}, guards={})
            second = known(await registry.commit({"m/a": b"2"}, guards={}))
            entry = await registry.get("m/a")
            third = known(await registry.commit({"m/a": None, "m/missing": None}, guards={}))
            changes = await told.changes(4)
        assert {change.key for change in changes[:2]} == {"m/a", "m/b"}
        assert {change.revision for change in changes[:2]} == {first}
        assert changes[2:] == [
            Change(key="m/a", entry=entry, revision=second),
            Change(key="m/a", entry=None, revision=third),
        ]

    async def test_nothing_is_missed_between_what_is_there_and_what_happens(self, registry: Registry) -> None:
        wanted = {f"m/{number:03}" for number in range(200)}
        writing = asyncio.gather(*(registry.commit({key: b"1"}, guards={}) for key in wanted))
        async with following(registry, "m/") as told:
            seen = {entry.key for entry in known((await told.reset()).entries)}
            missing = len(wanted - seen)
            seen |= {change.key for change in await told.changes(missing)}
        await writing
        assert seen == wanted

    async def test_the_end_of_a_lease_is_told(self, registry: Registry) -> None:
        lease = await registry.grant(LONG_S)
        await registry.commit({"m/a": b"1", "m/b": b"1"}, guards={}, lease=lease)
        async with following(registry, "m/") as told:
            assert {entry.lease for entry in known((await told.reset()).entries)} == {lease}
            await registry.revoke(lease)
            changes = await told.changes(2)
        assert {(change.key, change.entry) for change in changes} == {("m/a", None), ("m/b", None)}

    async def test_several_may_follow(self, registry: Registry) -> None:
        async with following(registry, "m/") as one, following(registry, "") as other:
            await one.reset()
            await other.reset()
            await registry.commit({"m/a": b"1"}, guards={})
            assert await one.changes(1) == await other.changes(1)

    async def test_odd_keys_and_values_are_told_as_they_are(self, registry: Registry) -> None:
        async with following(registry, "m/") as told:
            await told.reset()
            await registry.commit({f"m/{key}": key.encode() for key in ODD_KEYS}, guards={})
            changes = await told.changes(len(ODD_KEYS))
        assert {change.key: known(change.entry).value for change in changes} == {
            f"m/{key}": key.encode() for key in ODD_KEYS
        }

    async def value_of(self, registry: Registry, key: str) -> bytes:
        entry = await registry.get(key)
        assert entry is not None
        return entry.value

    async def revision_of(self, registry: Registry, key: str) -> int:
        entry = await registry.get(key)
        assert entry is not None
        return entry.mod_revision
