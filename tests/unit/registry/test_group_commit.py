import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.aio.clock import LoopClock
from adapter.domain.errors import InvalidRequest, RegistryUnavailable
from adapter.registry import group_commit
from adapter.registry.group_commit import OPERATIONS_MAX, PAUSE_S, WAIT_S_MAX, GroupCommit
from adapter.registry.registry import LeaseLost
from tests.fakes.etcd_txn import FakeTxns


@pytest.fixture
def etcd() -> FakeTxns:
    return FakeTxns()


@asynccontextmanager
async def committing(etcd: FakeTxns) -> AsyncIterator[GroupCommit]:
    """One that runs within the block."""
    commits = GroupCommit(etcd.send, LoopClock())
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(commits.run())
        yield commits
        running.cancel()


def key(number: int) -> bytes:
    return f"m/{number:05}".encode()


async def test_one_alone_leaves_at_once(etcd: FakeTxns) -> None:
    async with committing(etcd) as commits:
        for number in range(3):
            assert await commits.submit({key(number): b"1"}, guards={key(number): 0}) == number + 2
    assert asyncio.get_running_loop().time() == pytest.approx(3 * etcd.takes_s)


async def test_what_comes_while_one_is_under_way_goes_together(etcd: FakeTxns) -> None:
    async with committing(etcd) as commits:
        first = commits.submit({b"first": b"1"}, guards={b"first": 0})
        await asyncio.sleep(etcd.takes_s / 2)
        rest = [commits.submit({key(number): b"1"}, guards={key(number): 0}) for number in range(50)]
        assert list(await asyncio.gather(first, *rest)) == [2, *[3] * 50]
    assert etcd.members == [1, 50]
    assert (commits.transactions, commits.writes) == (2, 51)


async def test_when_it_is_busy_the_next_one_waits_a_moment(etcd: FakeTxns) -> None:
    async with committing(etcd) as commits:

        async def work(begin: int) -> None:
            for number in range(begin, begin + 5):
                await commits.submit({key(number): b"1"}, guards={})

        await asyncio.gather(*(work(100 * number) for number in range(20)))
    assert etcd.members == [20] * 5
    pauses = [later - earlier for earlier, later in zip(etcd.sent_s[:-1], etcd.sent_s[1:], strict=True)]
    assert pauses == pytest.approx([PAUSE_S] * 4)


async def test_a_full_transaction_does_not_wait(etcd: FakeTxns) -> None:
    async with committing(etcd) as commits:
        count = 5 * OPERATIONS_MAX
        await asyncio.gather(*(commits.submit({key(n): b"1"}, guards={}) for n in range(count)))
    assert etcd.members == [OPERATIONS_MAX] * 5
    assert etcd.sent_s[-1] == pytest.approx(4 * etcd.takes_s)


async def test_each_guard_is_for_its_own_commit(etcd: FakeTxns) -> None:
    async with committing(etcd) as commits:
        await commits.submit({b"there": b"1"}, guards={})
        outcomes = await asyncio.gather(
            commits.submit({b"a": b"1"}, guards={b"there": 2}),
            commits.submit({b"b": b"1"}, guards={b"there": 1}),
            commits.submit({b"c": b"1"}, guards={}),
        )
    assert list(outcomes) == [3, None, 3]
    assert etcd.values == {b"there": b"1", b"a": b"1", b"c": b"1"}
    assert commits.writes == 3


async def test_a_key_is_written_once_in_a_transaction(etcd: FakeTxns) -> None:
    async with committing(etcd) as commits:
        writes = [commits.submit({b"a": str(number).encode()}, guards={}) for number in range(3)]
        other = commits.submit({b"b": b"1"}, guards={})
        assert list(await asyncio.gather(*writes, other)) == [2, 3, 4, 2]
    assert etcd.values == {b"a": b"2", b"b": b"1"}


async def test_a_guard_waits_for_the_write_of_its_key(etcd: FakeTxns) -> None:
    async with committing(etcd) as commits:
        write = commits.submit({b"leader": b"me"}, guards={})
        guarded = commits.submit({b"a": b"1"}, guards={b"leader": 0})
        assert list(await asyncio.gather(write, guarded)) == [2, None]


async def test_nobody_overtakes_who_waits_for_the_same_key(etcd: FakeTxns) -> None:
    async with committing(etcd) as commits:
        commits.submit({b"a": b"1"}, guards={})
        both = commits.submit({b"a": b"2", b"b": b"2"}, guards={})
        later = commits.submit({b"b": b"3"}, guards={})
        assert list(await asyncio.gather(both, later)) == [3, 4]
    assert etcd.values == {b"a": b"2", b"b": b"3"}


async def test_who_wrote_under_an_ended_lease_is_told_so_and_nobody_else(etcd: FakeTxns) -> None:
    etcd.leases.add(7)
    async with committing(etcd) as commits:
        outcomes = await asyncio.gather(
            commits.submit({b"a": b"1"}, guards={}),
            commits.submit({b"b": b"1"}, guards={}, lease=7),
            commits.submit({b"c": b"1"}, guards={b"c": 0}, lease=8),
            commits.submit({b"d": b"1"}, guards={b"d": 0}),
            return_exceptions=True,
        )
    assert [type(outcome) for outcome in outcomes] == [int, int, LeaseLost, int]
    assert sorted(etcd.values) == [b"a", b"b", b"d"]


async def test_what_is_wrong_with_one_is_told_to_nobody_else(etcd: FakeTxns) -> None:
    async with committing(etcd) as commits:
        outcomes = await asyncio.gather(
            commits.submit({b"a": b"1"}, guards={}),
            commits.submit({b"big": bytes(2_000_000)}, guards={}),
            commits.submit({b"b": b"1"}, guards={}),
            return_exceptions=True,
        )
    assert [type(outcome) for outcome in outcomes] == [int, InvalidRequest, int]


async def test_many_large_ones_are_spread(etcd: FakeTxns) -> None:
    async with committing(etcd) as commits:
        writes = [commits.submit({key(number): bytes(300_000)}, guards={}) for number in range(10)]
        await asyncio.gather(*writes)
    assert max(request.ByteSize() for request in etcd.sent) <= group_commit.BYTES_MAX
    assert len(etcd.sent) == 4


async def test_many_keys_may_go_in_one_commit(etcd: FakeTxns) -> None:
    keys = [key(number) for number in range(OPERATIONS_MAX)]
    async with committing(etcd) as commits:
        small = commits.submit({b"a": b"1"}, guards={b"a": 0})
        large = commits.submit(dict.fromkeys(keys, b"1"), guards=dict.fromkeys(keys, 0))
        assert list(await asyncio.gather(small, large)) == [2, 3]
        with pytest.raises(ValueError, match="at most 120"):
            commits.submit(dict.fromkeys([*keys, b"more"], b"1"), guards={})


async def test_one_that_left_before_its_turn_is_not_written(etcd: FakeTxns) -> None:
    async with committing(etcd) as commits:
        first = commits.submit({b"a": b"1"}, guards={})
        await asyncio.sleep(etcd.takes_s / 2)
        commits.submit({b"b": b"1"}, guards={}).cancel()
        first.cancel()  # too late: it is under way
        assert await commits.submit({b"c": b"1"}, guards={}) == 3
    assert sorted(etcd.values) == [b"a", b"c"]


async def test_when_etcd_is_away_all_are_told_each_with_an_error_of_its_own(etcd: FakeTxns) -> None:
    etcd.error = RegistryUnavailable("away")
    async with committing(etcd) as commits:
        writes = [commits.submit({key(number): b"1"}, guards={}) for number in range(300)]
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        assert {str(outcome) for outcome in outcomes} == {"away"}
        assert len(set(map(id, outcomes))) == 300
        etcd.error = None
        assert await commits.submit({b"a": b"1"}, guards={}) == 2


async def test_nobody_waits_for_long(etcd: FakeTxns) -> None:
    etcd.error, etcd.takes_s = RegistryUnavailable("no answer"), WAIT_S_MAX
    async with committing(etcd) as commits:
        writes = [commits.submit({key(number): b"1"}, guards={}) for number in range(10 * OPERATIONS_MAX)]
        await asyncio.gather(*writes, return_exceptions=True)
    assert asyncio.get_running_loop().time() <= 2 * WAIT_S_MAX + 1


async def test_too_many_are_refused_at_once(etcd: FakeTxns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "PENDING_MAX", 10)
    async with committing(etcd) as commits:
        writes = [commits.submit({key(number): b"1"}, guards={}) for number in range(10)]
        assert commits.pending == 10
        with pytest.raises(RegistryUnavailable, match="10 commits wait"):
            commits.submit({b"a": b"1"}, guards={})
        assert list(await asyncio.gather(*writes)) == [2] * 10


async def test_at_the_end_those_who_wait_are_told(etcd: FakeTxns) -> None:
    async with committing(etcd) as commits:
        under_way = commits.submit({b"a": b"1"}, guards={})
        await asyncio.sleep(etcd.takes_s / 2)
        waiting = commits.submit({b"b": b"1"}, guards={})
    with pytest.raises(RegistryUnavailable, match="it may have been written"):
        await under_way
    with pytest.raises(RegistryUnavailable, match="nothing was written"):
        await waiting
    with pytest.raises(RegistryUnavailable, match="closed"):
        commits.submit({b"c": b"1"}, guards={})


Wish = tuple[dict[bytes, bytes | None], dict[bytes, int]]
few_keys = st.sampled_from([b"a", b"b", b"c", b"d"])
wishes = st.tuples(
    st.dictionaries(few_keys, st.one_of(st.none(), st.binary(max_size=1)), max_size=3),
    st.dictionaries(few_keys, st.integers(0, 4), max_size=2),
)


@given(st.lists(wishes, max_size=40))
def test_what_goes_together_is_as_if_done_one_after_the_other(wished: list[Wish]) -> None:
    """There is an order of the commits that gives the same outcomes: by revision, and by place within one."""

    async def play() -> None:
        etcd = FakeTxns()
        async with committing(etcd) as commits:
            outcomes = [commits.submit(writes, guards=guards) for writes, guards in wished]
            revisions = await asyncio.gather(*outcomes)
        assert sum(len(writes) for (writes, _), r in zip(wished, revisions, strict=True) if r) == (
            commits.writes
        )
        held: dict[bytes, bytes] = {}
        done = sorted((r, at) for at, r in enumerate(revisions) if r is not None)
        for _, at in done:
            for name, value in wished[at][0].items():
                held.pop(name, None)
                if value is not None:
                    held[name] = value
        assert held == etcd.values

    asyncio.run(play())
