"""What is at hand, and how it is kept right."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapter.domain.errors import RecordUnreadable, RegistryReadOnly, RegistryUnavailable
from adapter.registry.cached_records import AWAY_S, DOUBT_S_MAX, UNKNOWN, CachedRecords, Held, Write, commit
from adapter.registry.registry import Entry
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.told_registry import ToldRegistry

KEY = "mm/things/iris"


def decode(key: str, value: bytes) -> str:
    if value == b"broken":
        raise RecordUnreadable(key)
    return value.decode()


def a_table(
    registry: MemoryRegistry, *, cached_max: int = 100, keep_absent: bool = True, read_only: bool = False
) -> CachedRecords[str]:
    return CachedRecords(
        registry,
        "mm/",
        table="things/",
        decode=decode,
        encode=str.encode,
        cached_max=cached_max,
        keep_absent=keep_absent,
        read_only=read_only,
    )


@pytest.fixture
async def registry() -> ToldRegistry:
    return ToldRegistry()


@pytest.fixture
async def table(registry: ToldRegistry) -> AsyncIterator[CachedRecords[str]]:
    """It follows the registry, and has heard the first reset."""
    table = a_table(registry)
    following = asyncio.ensure_future(table.follow())
    await settled()
    yield table
    following.cancel()


async def settled() -> None:
    """Let everything that can happen now happen."""
    for _ in range(10):
        await asyncio.sleep(0)


async def known(table: CachedRecords[str], registry: ToldRegistry, value: bytes | None = b"1") -> int:
    revision = await registry.put(KEY, value)
    assert await table.get("iris") == (None if value is None else value.decode())
    return revision


async def test_what_was_read_is_at_hand_also_that_there_is_none(
    table: CachedRecords[str], registry: ToldRegistry
) -> None:
    await registry.put(KEY, b"1")
    assert table.peek("iris") is UNKNOWN
    assert [await table.get("iris"), await table.get("mnist")] == ["1", None]
    assert [table.peek("iris"), table.peek("mnist")] == ["1", None]
    assert registry.asked == 2


async def test_where_that_is_not_kept_absence_is_never_at_hand(registry: ToldRegistry) -> None:
    table = a_table(registry, keep_absent=False)
    assert await table.get("iris") is None
    assert table.peek("iris") is UNKNOWN
    await table.create("iris", "1")
    await table.write("iris", None, revision=registry.revision)
    assert table.peek("iris") is UNKNOWN


async def test_those_who_ask_at_the_same_time_share_a_read(
    table: CachedRecords[str], registry: ToldRegistry
) -> None:
    await registry.put(KEY, b"1")
    assert await asyncio.gather(*(table.get("iris") for _ in range(100))) == ["1"] * 100
    assert registry.asked == 1


async def test_that_there_is_none_is_believed_only_of_a_read_that_began_later(
    table: CachedRecords[str], registry: ToldRegistry
) -> None:
    registry.held = asyncio.Event()
    early = asyncio.ensure_future(table.get("iris"))
    await settled()
    await registry.put(KEY, b"1")
    late = asyncio.ensure_future(table.get("iris"))
    await settled()
    registry.held.set()
    assert (await early, await late) == (None, "1")


async def test_who_joined_a_read_that_is_given_up_reads_itself(
    table: CachedRecords[str], registry: ToldRegistry
) -> None:
    await registry.put(KEY, b"1")
    registry.held = asyncio.Event()
    first, second = (asyncio.ensure_future(table.get("iris")) for _ in range(2))
    await settled()
    first.cancel()
    registry.held.set()
    assert await second == "1"


async def test_all_who_wait_hear_that_the_registry_is_away(
    table: CachedRecords[str], registry: ToldRegistry
) -> None:
    registry.away = True
    answers = await asyncio.gather(*(table.get("iris") for _ in range(10)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {RegistryUnavailable}
    assert registry.asked == 1


# What others write.


async def test_a_change_replaces_what_is_at_hand(table: CachedRecords[str], registry: ToldRegistry) -> None:
    await known(table, registry)
    registry.tell(KEY, await registry.put(KEY, b"2"))
    await settled()
    assert table.peek("iris") == "2"
    registry.tell(KEY, await registry.put(KEY, None))
    await settled()
    assert table.peek("iris") is None


async def test_what_comes_to_be_is_no_longer_absent(
    table: CachedRecords[str], registry: ToldRegistry
) -> None:
    await known(table, registry, None)
    registry.tell(KEY, await registry.put(KEY, b"1"))
    await settled()
    assert table.peek("iris") == "1"


async def test_what_nobody_asked_for_is_not_kept(table: CachedRecords[str], registry: ToldRegistry) -> None:
    registry.tell(KEY, await registry.put(KEY, b"1"))
    await settled()
    assert len(table) == 0


async def test_old_news_change_nothing(table: CachedRecords[str], registry: ToldRegistry) -> None:
    first = await registry.put(KEY, b"1")
    stale = registry.entries[KEY]
    await known(table, registry, b"2")
    registry.entries[KEY], now = stale, registry.entries[KEY]
    registry.tell(KEY, first)
    registry.entries[KEY] = now
    await settled()
    assert table.peek("iris") == "2"


async def test_a_read_that_a_change_has_overtaken_is_not_kept(
    table: CachedRecords[str], registry: ToldRegistry
) -> None:
    await registry.put(KEY, b"1")
    registry.held = asyncio.Event()
    reading = asyncio.ensure_future(table.get("iris"))
    await settled()
    registry.tell(KEY, await registry.put(KEY, b"2"))
    await settled()
    registry.held.set()
    assert await reading == "1"
    assert table.peek("iris") is UNKNOWN
    assert await table.get("iris") == "2"


async def test_what_cannot_be_read_is_told_and_not_kept(
    table: CachedRecords[str], registry: ToldRegistry
) -> None:
    await known(table, registry)
    registry.tell(KEY, await registry.put(KEY, b"broken"))
    await settled()
    assert table.peek("iris") is UNKNOWN
    with pytest.raises(RecordUnreadable):
        await table.get("iris")


async def test_whoever_wants_hears_of_every_change_and_reset(
    table: CachedRecords[str], registry: ToldRegistry
) -> None:
    heard: list[tuple[str, bytes | None]] = []

    def hear(name: str, entry: Entry | None) -> None:
        heard.append((name, None if entry is None else entry.value))

    table.on_change.append(hear)
    table.on_reset.append(lambda: heard.append(("", None)))
    registry.tell(KEY, await registry.put(KEY, b"1"))
    registry.tell_reset()
    registry.tell(KEY, await registry.put(KEY, None))
    await settled()
    assert heard == [("iris", b"1"), ("", None), ("iris", None)]


# When it cannot be told what happened.


async def test_after_a_reset_it_is_read_anew(table: CachedRecords[str], registry: ToldRegistry) -> None:
    await known(table, registry)
    await registry.put(KEY, b"2")
    registry.tell_reset()
    await settled()
    assert table.peek("iris") is UNKNOWN
    assert await table.get("iris") == "2"
    assert table.peek("iris") == "2"


async def test_what_is_doubtful_is_served_while_the_registry_is_away(
    table: CachedRecords[str], registry: ToldRegistry
) -> None:
    await known(table, registry)
    registry.tell_reset()
    await settled()
    registry.away = True
    assert await table.get("iris") == "1"
    asked = registry.asked
    assert table.peek("iris") == "1", "and for a while without asking"
    await asyncio.sleep(AWAY_S)
    registry.away = False
    await registry.put(KEY, b"2")
    assert table.peek("iris") is UNKNOWN
    assert await table.get("iris") == "2"
    assert registry.asked == asked + 1


async def test_what_is_doubtful_does_not_wait_for_a_silent_registry(
    table: CachedRecords[str], registry: ToldRegistry
) -> None:
    await known(table, registry)
    registry.tell_reset()
    await settled()
    registry.silent = True
    loop = asyncio.get_running_loop()
    before_s = loop.time()
    assert await asyncio.gather(*(table.get("iris") for _ in range(10))) == ["1"] * 10
    assert loop.time() - before_s == pytest.approx(DOUBT_S_MAX)


async def test_a_store_that_began_anew_is_believed_though_its_revisions_are_smaller(
    table: CachedRecords[str], registry: ToldRegistry
) -> None:
    for _ in range(5):
        await known(table, registry)
    registry.entries.clear()
    registry.revision = 1
    registry.tell_reset()
    await settled()
    registry.tell(KEY, await registry.put(KEY, b"anew"))
    await settled()
    assert table.peek("iris") == "anew"


async def test_a_read_from_before_a_reset_is_not_kept(
    table: CachedRecords[str], registry: ToldRegistry
) -> None:
    await registry.put(KEY, b"1")
    registry.held = asyncio.Event()
    reading = asyncio.ensure_future(table.get("iris"))
    await settled()
    registry.tell_reset()
    await settled()
    registry.held.set()
    await reading
    assert table.peek("iris") is UNKNOWN


async def test_while_the_registry_is_away_what_is_at_hand_serves_also_whoever_wants_it_fresh(
    table: CachedRecords[str], registry: ToldRegistry
) -> None:
    await known(table, registry)
    registry.away = True
    assert [table.peek("iris"), await table.get("iris"), await table.get("iris", fresh=True)] == ["1"] * 3
    with pytest.raises(RegistryUnavailable):
        await table.get("mnist")


async def test_fresh_is_as_the_registry_has_it_though_nobody_has_told_yet(
    table: CachedRecords[str], registry: ToldRegistry
) -> None:
    await known(table, registry, None)
    await registry.put(KEY, b"1")
    assert [await table.get("iris"), await table.get("iris", fresh=True)] == [None, "1"]


# What we write.


async def test_what_we_wrote_is_at_hand_at_once(table: CachedRecords[str]) -> None:
    assert await table.create("iris", "1")
    assert table.peek("iris") == "1"
    assert not await table.create("iris", "2")
    assert await table.get("iris") == "1"


async def test_of_what_may_or_may_not_have_been_written_nothing_is_at_hand(
    table: CachedRecords[str], registry: ToldRegistry
) -> None:
    await known(table, registry)
    registry.away = True
    with pytest.raises(RegistryUnavailable):
        await table.write("iris", "2", revision=registry.revision)
    assert table.peek("iris") is UNKNOWN


async def test_records_of_several_tables_are_written_together_or_not_at_all(registry: ToldRegistry) -> None:
    things, names = a_table(registry), a_table(registry)
    await things.create("iris", "1")
    held = await things.read("iris")
    assert held == Held("1", registry.revision)
    writes = [Write(things, "iris", None), Write(names, "mnist", "2")]
    assert await commit(writes, guards={things.key("iris"): held.revision + 1}) is None
    assert await commit(writes, guards={things.key("iris"): held.revision}) == registry.revision
    assert (things.peek("iris"), names.peek("mnist")) == (None, "2")


async def test_in_read_only_mode_nothing_is_written(registry: ToldRegistry) -> None:
    await registry.put(KEY, b"1")
    table = a_table(registry, read_only=True)
    assert not await table.create("iris", "2"), "it is there already"
    with pytest.raises(RegistryReadOnly, match="model-mesh read-only mode"):
        await table.create("mnist", "2")
    with pytest.raises(RegistryReadOnly):
        await table.write("iris", None, revision=registry.revision)


# How much is kept.


async def test_what_is_asked_for_again_outlives_what_is_not(registry: ToldRegistry) -> None:
    table = a_table(registry, cached_max=20)
    for number in range(100):
        await table.create(f"m{number}", "1")
        assert table.peek("m0") == "1"
        assert len(table) <= 20
    assert table.peek("m99") == "1"
    assert table.peek("m50") is UNKNOWN


async def test_at_least_half_of_the_bound_is_at_hand_of_those_asked_for_last(registry: ToldRegistry) -> None:
    table = a_table(registry, cached_max=20)
    for number in range(55):
        await table.create(f"m{number}", "1")
        for back in range(min(10, number + 1)):
            assert table.peek(f"m{number - back}") == "1"
