"""Copies whose registration is gone, though nobody told so."""

import asyncio

from adapter.domain.errors import Code
from adapter.domain.ids import ModelId
from adapter.instance.housekeeping import REAP_AFTER_RESET_S, REAP_EVERY_S
from tests.unit.instance.meshed import PREFIX, AnInstance


async def with_models(it: AnInstance, *names: str) -> None:
    for name in names:
        await it.load(await it.registered(name))
        await it.infer(name)


def forget(it: AnInstance, *names: str) -> None:
    """The registrations go, and nobody hears of it."""
    for name in names:
        del it.registry.entries[f"{PREFIX}registry/{name}"]


async def test_what_two_looks_did_not_find_is_dropped(instance: AnInstance) -> None:
    await with_models(instance, "iris", "mnist", "wine")
    forget(instance, "iris")
    await asyncio.sleep(REAP_EVERY_S + 5)
    assert instance.holds("iris"), "it may have come while the page went by"
    await asyncio.sleep(REAP_EVERY_S + 5)
    assert sorted(instance.runtime.held) == ["mnist", "wine"]


async def test_that_nearly_everything_is_gone_is_not_believed(instance: AnInstance) -> None:
    names = ("iris", "mnist", "wine", "digits")
    await with_models(instance, *names)
    forget(instance, *names)
    await asyncio.sleep(3 * REAP_EVERY_S)
    assert sorted(instance.runtime.held) == sorted(names)
    assert (await instance.infer("iris")).code is Code.OK


async def test_after_the_registry_was_away_it_is_looked_soon(instance: AnInstance) -> None:
    await with_models(instance, "iris", "mnist", "wine")
    instance.registry.away = True
    await asyncio.sleep(1)
    forget(instance, "iris")
    instance.registry.compact()
    instance.registry.revision += 1
    instance.registry.compact()
    instance.registry.away = False
    await asyncio.sleep(REAP_AFTER_RESET_S + REAP_EVERY_S + 10)
    assert not instance.holds("iris")


async def test_a_registry_that_is_away_is_asked_again_later(instance: AnInstance) -> None:
    await with_models(instance, "iris", "mnist", "wine")
    forget(instance, "iris")
    await asyncio.sleep(REAP_EVERY_S - 10)
    instance.registry.away = True
    await asyncio.sleep(20)
    instance.registry.away = False
    await asyncio.sleep(2 * REAP_EVERY_S)
    assert not instance.holds("iris")


async def test_a_restarted_runtime_gets_its_models_again(instance: AnInstance) -> None:
    await with_models(instance, "iris")
    instance.crash_runtime()
    await asyncio.sleep(1)
    instance.restart_runtime()
    await asyncio.sleep(1)
    assert (await instance.infer("iris")).code is Code.OK
    assert instance.runtime.loads[ModelId("iris")] == 2
