import pytest

from adapter.domain.ids import ModelId
from adapter.instance.cache_figures import KEPT_S, CacheFigures
from adapter.telemetry.metrics import InstanceFigures
from tests.unit.instance.meshed import AnInstance


async def test_an_empty_instance_has_room_and_no_copy(instance: AnInstance) -> None:
    figures = CacheFigures(instance.cache, instance.clock).read()
    assert figures == InstanceFigures(capacity_bytes=100_000, used_bytes=0, models=0)


async def test_what_is_held_is_told_with_the_age_of_the_coldest(instance: AnInstance) -> None:
    figures = CacheFigures(instance.cache, instance.clock)
    await instance.load(await instance.registered("iris"))
    instance.cache.acquire(ModelId("iris"), instance.clock.now_s())
    await instance.clock.sleep(60)
    told = figures.read()
    assert (told.models, told.used_bytes) == (1, instance.cache.used_bytes)
    assert told.unused_s == pytest.approx(60.0)
    assert told.last_used_s == pytest.approx(instance.clock.epoch_ms() / 1e3 - 60.0, abs=0.1)


async def test_one_scrape_looks_once(instance: AnInstance) -> None:
    figures = CacheFigures(instance.cache, instance.clock)
    first = figures.read()
    await instance.clock.sleep(KEPT_S / 2)
    assert figures.read() is first
    await instance.clock.sleep(KEPT_S)
    assert figures.read() is not first


async def test_every_gauge_of_the_instance_is_told(instance: AnInstance) -> None:
    await instance.load(await instance.registered("iris"))
    text = b"".join(instance.metrics.render(frozenset({"modelmesh_instance_models_total"}))).decode()
    assert "modelmesh_instance_models_total 1.0" in text
