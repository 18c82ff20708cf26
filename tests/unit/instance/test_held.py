from adapter.domain.ids import ModelId
from adapter.domain.records import CopyState
from adapter.instance.held import held
from tests.unit.instance.membered import AnInstance

IRIS = ModelId("iris")


async def test_what_is_on_its_way_here_loads_and_what_is_here_is_loaded(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.loader.start_load(IRIS, (await instance.models.record(IRIS)).info, used_s=0.0)
    assert held(instance.cache, IRIS) is CopyState.LOADING
    await instance.load_here("iris")
    assert held(instance.cache, IRIS) is CopyState.LOADED


async def test_what_is_not_here_or_goes_is_not_held(instance: AnInstance) -> None:
    assert held(instance.cache, IRIS) is None
    await instance.registered("iris")
    await instance.load_here("iris")
    instance.runtime.unload_s = 10.0
    assert instance.loader.unload(IRIS)
    assert held(instance.cache, IRIS) is None
