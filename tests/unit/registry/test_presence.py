import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from adapter.aio.clock import LoopClock
from adapter.domain.errors import RegistryUnavailable
from adapter.registry.presence import BATCH_MAX, KeyTaken, Presence
from adapter.registry.registry import Change, Entry
from tests.fakes.memory_registry import MemoryRegistry

SOON_S = 30.0


class CountedRegistry(MemoryRegistry):
    """Each commit takes a moment, and what was written is remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[dict[str, bytes | None]] = []
        self.answers_lost = 0
        """So many of the next commits are done, and their answers do not arrive."""

    async def commit(
        self, writes: Mapping[str, bytes | None], *, guards: Mapping[str, int], lease: int = 0
    ) -> int | None:
        await asyncio.sleep(0.01)
        revision = await super().commit(writes, guards=guards, lease=lease)
        if writes:
            self.written.append(dict(writes))
            if self.answers_lost:
                self.answers_lost -= 1
                raise RegistryUnavailable("it may have been written")
        return revision

    @property
    def values(self) -> dict[str, bytes]:
        return {key: entry.value for key, entry in self.entries.items()}


@pytest.fixture
def registry() -> CountedRegistry:
    return CountedRegistry()


@asynccontextmanager
async def present(registry: CountedRegistry) -> AsyncIterator[Presence]:
    """One that runs within the block."""
    presence = Presence(registry, clock=LoopClock())
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(presence.run())
        yield presence
        running.cancel()


async def is_gone(entry: Entry) -> bool:
    return True


async def is_alive(entry: Entry) -> bool:
    return False


async def test_what_is_put_stands_under_the_lease(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        presence.put("a", b"1")
        assert not presence.is_confirmed
        await presence.settled(SOON_S)
        assert presence.is_confirmed
        assert registry.entries["a"].lease == presence.lease != 0


async def test_the_lease_is_kept_alive(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        presence.put("a", b"1")
        await asyncio.sleep(600)
        assert registry.values == {"a": b"1"}
        assert presence.lost == 0


async def test_what_is_removed_is_deleted(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        presence.put("a", b"1")
        presence.put("b", b"1")
        await presence.settled(SOON_S)
        presence.remove("a")
        presence.remove("never there")
        await presence.settled(SOON_S)
        assert registry.values == {"b": b"1"}


async def test_what_comes_and_goes_at_once_is_never_written(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        presence.put("first", b"1")
        await asyncio.sleep(0.005)  # its write is under way
        presence.put("a", b"1")
        presence.put("b", b"1")
        presence.remove("a")
        presence.put("b", b"2")
        await presence.settled(SOON_S)
        assert registry.written == [{"first": b"1"}, {"b": b"2"}]


async def test_what_changes_while_it_is_written_is_written_again(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        presence.put("a", b"1")
        presence.put("b", b"1")
        await asyncio.sleep(0.005)
        presence.put("a", b"2")
        presence.remove("b")
        await presence.settled(SOON_S)
        assert registry.values == {"a": b"2"}


async def test_the_same_value_again_is_not_written(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        for _ in range(2):
            presence.put("a", b"1")
            await presence.settled(SOON_S)
        assert registry.written == [{"a": b"1"}]


async def test_many_keys_share_commits(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        for number in range(10 * BATCH_MAX):
            presence.put(f"m/{number}", b"1")
        await presence.settled(SOON_S)
        assert len(registry.values) == 10 * BATCH_MAX
        assert len(registry.written) == 10


async def test_an_outage_only_delays(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        presence.put("a", b"1")
        await presence.settled(SOON_S)
        registry.away = True
        presence.put("b", b"1")
        presence.remove("a")
        with pytest.raises(RegistryUnavailable, match="2 keys are not written after 5 s"):
            await presence.settled(5)
        registry.away = False
        await presence.settled(2)
        assert registry.values == {"b": b"1"}


async def test_an_outage_at_the_start_only_delays(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        registry.away = True
        presence.put("a", b"1")
        await asyncio.sleep(600)
        registry.away = False
        await presence.settled(2)
        assert registry.values == {"a": b"1"}


@pytest.mark.parametrize("wiped", [pytest.param(False, id="lease expired"), pytest.param(True, id="wiped")])
async def test_after_the_lease_was_lost_all_is_written_again(registry: CountedRegistry, wiped: bool) -> None:
    async with present(registry) as presence:
        for number in range(100):
            presence.put(f"m/{number}", b"1")
        await presence.settled(SOON_S)
        lease, registry.away = presence.lease, True
        presence.remove("m/7")
        await asyncio.sleep(60)
        if wiped:
            registry.wipe()
        assert registry.values == {}
        registry.away = False
        await asyncio.sleep(5)
        assert presence.is_confirmed
        assert presence.lost == 1
        assert len(registry.values) == 99
        assert {entry.lease for entry in registry.entries.values()} == {presence.lease}
        assert wiped or presence.lease != lease


async def test_a_write_whose_answer_was_lost_is_made_good(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        presence.put("a", b"1")
        await presence.settled(SOON_S)
        registry.answers_lost = 1
        presence.put("b", b"1")
        await asyncio.sleep(0.015)
        presence.remove("b")
        await presence.settled(SOON_S)
        assert registry.values == {"a": b"1"}


async def test_settled_does_not_wait_for_what_is_wished_later(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        presence.put("a", b"1")
        settling = asyncio.ensure_future(presence.settled(SOON_S))
        for number in range(1000):
            await asyncio.sleep(0.001)
            presence.put("a", str(number).encode())
            if settling.done():
                break
        await settling
        assert number < 100


async def test_settled_waits_for_what_was_changed_while_it_was_written(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        presence.put("a", b"1")
        await asyncio.sleep(0.005)
        presence.put("a", b"2")
        settling = asyncio.ensure_future(presence.settled(SOON_S))
        await asyncio.sleep(0)
        presence.put("b", b"1")
        await settling
        assert registry.values["a"] == b"2"


@pytest.mark.parametrize("change", ["deleted", "overwritten"])
@pytest.mark.parametrize("told", [pytest.param(True, id="told"), pytest.param(False, id="not told")])
async def test_what_somebody_else_changes_is_put_right(
    registry: CountedRegistry, change: str, told: bool
) -> None:
    async with present(registry) as presence:
        for number in range(250):
            presence.put(f"m/{number}", b"1")
        await presence.settled(SOON_S)
        value = b"2" if change == "overwritten" else None
        revision = await registry.commit({"m/7": value}, guards={})
        assert revision is not None
        if told:
            presence.saw(Change(key="m/7", entry=registry.entries.get("m/7"), revision=revision))
            await presence.settled(1)
        await asyncio.sleep(30)
        assert registry.values["m/7"] == b"1"
        assert registry.entries["m/7"].lease == presence.lease
        assert len(registry.written) == 6  # four of ours, that one, and the one that puts it right


async def test_what_it_wrote_itself_does_not_trouble_it(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        following = registry.follow("")
        await anext(following)
        presence.put("a", b"1")
        await presence.settled(SOON_S)
        presence.put("a", b"2")
        await presence.settled(SOON_S)
        for _ in range(2):
            told = await anext(following)
            for change in getattr(told, "changes", ()):
                presence.saw(change)
            if registry.entries["a"].mod_revision == change.revision:
                break
        assert presence.is_confirmed


async def test_a_key_is_claimed_once(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        await presence.claim("instances/a", b"me", outdated=is_alive)
        assert registry.entries["instances/a"].lease == presence.lease
        assert presence.is_confirmed


async def test_what_another_holds_who_is_alive_is_not_taken(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        other = await registry.grant(600)
        await registry.commit({"instances/a": b"other"}, guards={}, lease=other)
        with pytest.raises(KeyTaken, match="instances/a is held by somebody else"):
            await presence.claim("instances/a", b"me", outdated=is_alive)
        await asyncio.sleep(60)
        assert registry.values == {"instances/a": b"other"}


@pytest.mark.parametrize("leased", [pytest.param(True, id="leased"), pytest.param(False, id="not leased")])
async def test_what_one_who_is_gone_holds_is_taken_over_with_all_that_was_his(
    registry: CountedRegistry, leased: bool
) -> None:
    async with present(registry) as presence:
        other = await registry.grant(600) if leased else 0
        await registry.commit({"instances/a": b"before", "copies/m/a": b"1"}, guards={}, lease=other)
        await presence.claim("instances/a", b"me", outdated=is_gone)
        assert registry.values["instances/a"] == b"me"
        assert ("copies/m/a" in registry.values) is not leased


async def test_a_claim_whose_answer_was_lost_is_ours(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        registry.answers_lost = 1
        await presence.claim("instances/a", b"me", outdated=is_alive)
        await presence.settled(SOON_S)
        assert registry.values == {"instances/a": b"me"}


async def test_a_claim_waits_while_the_registry_is_away(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        registry.away = True
        claiming = asyncio.ensure_future(presence.claim("instances/a", b"me", outdated=is_alive))
        await asyncio.sleep(60)
        assert not claiming.done()
        registry.away = False
        await claiming
        assert registry.values == {"instances/a": b"me"}


async def test_after_the_lease_was_lost_the_claim_comes_before_all_else(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        await presence.claim("instances/a", b"me", outdated=is_alive)
        presence.put("copies/m/a", b"1")
        presence.put("instances/a", b"me, later")
        await presence.settled(SOON_S)
        registry.end(presence.lease)
        rival = await registry.grant(60)
        await registry.commit({"instances/a": b"rival"}, guards={}, lease=rival)
        await asyncio.sleep(30)
        assert registry.values == {"instances/a": b"rival"}
        assert not presence.is_confirmed
        await asyncio.sleep(60)  # the rival is gone
        assert registry.values == {"instances/a": b"me, later", "copies/m/a": b"1"}
        assert presence.is_confirmed


async def test_what_is_given_back_is_gone_and_stays_gone(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        presence.put("a", b"1")
        await presence.settled(SOON_S)
        await presence.close()
        presence.put("b", b"1")
        await asyncio.sleep(600)
        assert registry.values == {}
        assert registry.leases == {}


async def test_it_is_given_back_while_the_registry_is_away(registry: CountedRegistry) -> None:
    async with present(registry) as presence:
        presence.put("a", b"1")
        await presence.settled(SOON_S)
        registry.away = True
        await presence.close()
        await asyncio.sleep(11)
        assert registry.values == {}
