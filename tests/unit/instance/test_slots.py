import asyncio

import pytest

from adapter.domain.errors import CacheBusy
from adapter.domain.ids import ModelId
from adapter.instance.slots import WAITING_FACTOR, WAITING_MIN, Slots

IRIS = ModelId("iris")


class Copy:
    """A copy with slots; calls use it as `Sending` and `Resolving` do."""

    def __init__(self, limit: int | None, *, inflight_max: int = 0) -> None:
        self.in_flight: dict[ModelId, int] = {}
        self.slots = Slots(self.in_flight, inflight_max=inflight_max)
        self.slots.set(IRIS, limit)
        self.began: list[str] = []

    async def begin(self, name: str = "") -> None:
        while self.slots.is_full(IRIS):
            await self.slots.turn(IRIS)
        self.in_flight[IRIS] = self.in_flight.get(IRIS, 0) + 1
        self.began.append(name)

    def end(self) -> None:
        self.in_flight[IRIS] -= 1
        self.slots.freed(IRIS)

    def wait(self, name: str = "") -> "asyncio.Task[None]":
        return asyncio.get_running_loop().create_task(self.begin(name))


async def moments() -> None:
    """Let all happen that can."""
    await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("told", "limit"), [(None, 0), (0, 1), (1, 1), (4, 4)], ids=["no limit", "none at all", "one", "several"]
)
def test_a_limit_is_what_the_runtime_says_and_at_least_one(told: int | None, limit: int) -> None:
    assert Copy(told).slots.limit(IRIS) == limit


async def test_without_a_limit_no_call_waits() -> None:
    copy = Copy(None)
    for _ in range(1000):
        await copy.begin()
    assert not copy.slots.is_full(IRIS)


async def test_calls_beyond_the_limit_take_their_turns_in_their_order() -> None:
    copy = Copy(2)
    for name in "ab":
        await copy.begin(name)
    waiting = [copy.wait(name) for name in "cde"]
    await moments()
    assert copy.began == ["a", "b"]
    for begun in ("abc", "abcd", "abcde"):
        copy.end()
        await moments()
        assert "".join(copy.began) == begun
        assert copy.in_flight[IRIS] == 2
    await asyncio.gather(*waiting)


@pytest.mark.parametrize("when", ["while it waits", "in its turn"])
async def test_who_gives_up_leaves_its_turn_to_the_next(when: str) -> None:
    copy = Copy(1)
    await copy.begin("a")
    hasty, patient = copy.wait("b"), copy.wait("c")
    await moments()
    if when == "in its turn":
        copy.end()
        hasty.cancel()
    else:
        hasty.cancel()
        await moments()
        copy.end()
    await patient
    assert hasty.cancelled()
    assert copy.began == ["a", "c"]


async def test_who_waits_for_a_model_that_goes_is_let_go() -> None:
    copy = Copy(1)
    await copy.begin()
    waiting = [copy.wait() for _ in range(3)]
    await moments()
    copy.slots.forget(IRIS)
    await asyncio.gather(*waiting)
    assert copy.slots.limit(IRIS) == 0


@pytest.mark.parametrize(
    ("limit", "inflight_max", "most"),
    [
        pytest.param(1, 0, WAITING_MIN, id="a small limit"),
        pytest.param(4, 0, 4 * WAITING_FACTOR, id="by the limit"),
        pytest.param(4, 6, 6, id="as set"),
    ],
)
async def test_only_so_many_wait_or_are_worked_on(limit: int, inflight_max: int, most: int) -> None:
    copy = Copy(limit, inflight_max=inflight_max)
    calls = [copy.wait() for _ in range(most)]
    await moments()
    with pytest.raises(CacheBusy, match=f"Model queue overload: {most - limit} calls wait for iris"):
        await copy.slots.turn(IRIS)
    copy.slots.forget(IRIS)
    await asyncio.gather(*calls)


async def test_any_number_may_wait_if_it_is_set_so() -> None:
    copy = Copy(1, inflight_max=-1)
    calls = [copy.wait() for _ in range(500)]
    await moments()
    assert not any(call.done() for call in calls[1:])
    copy.slots.forget(IRIS)
    await asyncio.gather(*calls)


async def test_nothing_is_kept_of_a_model_that_nobody_waits_for() -> None:
    copy = Copy(1)
    await copy.begin()
    waiting = copy.wait()
    await moments()
    waiting.cancel()
    await moments()
    copy.end()
    assert not copy.slots._waiting
