import asyncio

import pytest

from adapter.cache.messages import Dropped
from adapter.domain.ids import ModelId
from adapter.instance.reasons import Reasons
from adapter.instance.recalling import recalled
from adapter.mesh.departures import Departure, Gone, departure
from adapter.mesh.explain_facts import Recalled
from tests.unit.instance.meshed import MODEL_BYTES, AnInstance, Given, one_instance

IRIS = ModelId("iris")


def recall(instance: AnInstance, *, because: str = "") -> Recalled:
    reasons = Reasons()
    if because:
        reasons.note(IRIS, because)
    return recalled(instance.cache, reasons, IRIS, instance.clock)


async def test_of_a_model_that_was_never_here_there_is_nothing_to_recall(instance: AnInstance) -> None:
    assert recall(instance) == Recalled()


async def test_a_copy_is_recalled_with_its_size_and_why_it_is_here(instance: AnInstance) -> None:
    await instance.load_here("iris")
    told = recall(instance, because="a request came for it")
    assert (told.state, told.since) == ("active", "a request came for it")
    assert told.size_bytes == instance.cache.size_bytes(IRIS)
    assert (told.departed, told.departed_ms) == ("", 0)


@pytest.mark.parametrize(
    ("because", "since"),
    [("", "1 loads come before it"), ("a second copy", "a second copy; 1 loads come before it")],
    ids=["for no known reason", "for a reason"],
)
async def test_a_load_that_waits_is_recalled_with_those_before_it(because: str, since: str) -> None:
    async with one_instance(Given(slots=1)) as instance:
        instance.disk.pull_s = 60.0
        loads = [asyncio.ensure_future(instance.load_here(name)) for name in ("a", "b", "iris")]
        await asyncio.sleep(1)
        told = recall(instance, because=because)
        assert (told.state, told.since) == ("queued", since)
        await asyncio.gather(*loads)


async def test_who_was_evicted_is_recalled_with_for_whom() -> None:
    async with one_instance(Given(capacity_bytes=MODEL_BYTES)) as instance:
        await instance.load_here("iris")
        await asyncio.sleep(60)
        await instance.load_here("rose")
        await asyncio.sleep(10)
        told = recall(instance)
        gone = departure(told.departed)
        assert (told.state, gone.why) == ("", Gone.EVICTED)
        assert gone.words.startswith("to make room for rose, as the least valuable copy")
        assert told.size_bytes == MODEL_BYTES
        assert instance.clock.epoch_ms() - told.departed_ms == pytest.approx(10_000, abs=1000)


async def test_who_was_too_much_is_recalled_as_evicted_for_no_other(instance: AnInstance) -> None:
    await instance.load_here("iris")
    await asyncio.sleep(60)
    commands = instance.cache.reset_capacity(
        capacity_bytes=1, loading_slots=1, default_size_bytes=1, now_s=instance.clock.now_s()
    )
    instance.loader.carry_out(commands)
    gone = departure(recall(instance).departed)
    assert gone.why is Gone.EVICTED
    assert gone.words.startswith("since what is loaded was bigger than predicted")


@pytest.mark.parametrize(
    ("dropped", "gone"),
    [
        pytest.param(Dropped(model=IRIS), Departure(why=Gone.UNREGISTERED), id="unregistered"),
        pytest.param(Dropped(model=IRIS, unregistered=False), Departure(why=Gone.UNLOADED), id="on demand"),
        pytest.param(
            Dropped(model=IRIS, unregistered=False, because="given up: two are enough"),
            Departure(why=Gone.SURPLUS, words="two are enough"),
            id="given up",
        ),
    ],
)
async def test_who_went_on_purpose_is_recalled_with_whose(
    instance: AnInstance, dropped: Dropped, gone: Departure
) -> None:
    await instance.load_here("iris")
    instance.loader.tell(dropped)
    assert departure(recall(instance).departed) == gone


async def test_lru_says_how_long_it_was_unused() -> None:
    async with one_instance(Given(capacity_bytes=MODEL_BYTES, settings={"eviction": "lru"})) as instance:
        await instance.load_here("iris")
        await asyncio.sleep(60)
        await instance.load_here("rose")
        gone = departure(recall(instance).departed)
        assert gone.words.startswith("to make room for rose, as the copy that was unused for longest (60 s")


@pytest.mark.parametrize("lost", [True, False], ids=["lost", "restarted"])
async def test_what_the_runtime_let_go_is_recalled_as_its_doing(instance: AnInstance, lost: bool) -> None:
    await instance.load_here("iris")
    if lost:
        instance.loader.copy_lost(IRIS)
    else:
        instance.crash_runtime()
        await asyncio.sleep(1)
        instance.restart_runtime()
        await asyncio.sleep(10)
    assert departure(recall(instance).departed).why is (Gone.LOST if lost else Gone.RESTARTED)
