import pytest

from adapter.domain.errors import RuntimeUnavailable
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.runtime import RuntimeState
from adapter.drivers.no_runtime import NoRuntime

IRIS = ModelId("iris")


async def test_it_is_ready_and_has_no_room() -> None:
    status = await NoRuntime(loading_timeout_s=7.0).status()
    assert (status.state, status.capacity_bytes, status.loading_timeout_s) == (RuntimeState.READY, 0, 7.0)


async def test_nothing_is_loaded_with_it() -> None:
    nothing = NoRuntime(loading_timeout_s=7.0)
    with pytest.raises(RuntimeUnavailable, match="has no runtime"):
        await nothing.load(IRIS, ModelInfo(type="sklearn"), size_hint_bytes=0)
    await nothing.unload(IRIS)
    assert await nothing.size_bytes(IRIS) is None
