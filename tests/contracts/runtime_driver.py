"""What every driver must do, whatever the runtime."""

import asyncio
from collections.abc import Mapping
from enum import Enum
from typing import Protocol

import pytest

from adapter.domain.errors import AdapterError, RuntimeUnavailable
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.runtime import RuntimeState
from adapter.drivers.runtime import RuntimeDriver

HINT_BYTES = 4_000
IRIS, MNIST = ModelId("iris"), ModelId("mnist")


class Flaw(Enum):
    """What can be wrong with a model."""

    MISSING = "there are no files"
    CORRUPT = "its file cannot be read"
    FOREIGN = "it is of a format that the runtime does not know"


class Subject(Protocol):
    """A driver with its runtime, as the suite deals with them."""

    driver: RuntimeDriver
    refusals: Mapping[Flaw, tuple[type[AdapterError], str]]
    """What a load of such a model raises, and a pattern of what it says."""

    def lay(self, model: ModelId, flaw: Flaw | None = None) -> ModelInfo:
        """Have the model lie ready for the runtime."""
        ...

    async def held(self) -> set[str]:
        """What is really loaded, not by way of the driver."""
        ...

    async def kill(self) -> None:
        """The runtime is gone from now on."""
        ...


class RuntimeDriverContract:
    """A subclass offers the fixture `subject`, whose runtime is up and empty."""

    async def test_a_runtime_that_is_up_says_what_it_can_take(self, subject: Subject) -> None:
        status = await subject.driver.status()
        assert status.state is RuntimeState.READY
        assert status.capacity_bytes > 0
        assert status.loading_concurrency >= 1
        assert status.loading_timeout_s > 0

    async def test_once_it_says_ready_it_holds_nothing(self, subject: Subject) -> None:
        await subject.driver.load(IRIS, subject.lay(IRIS), size_hint_bytes=HINT_BYTES)
        assert (await subject.driver.status()).state is RuntimeState.READY
        assert await subject.held() == set()

    async def test_a_loaded_model_is_held_and_has_a_size(self, subject: Subject) -> None:
        loaded = await subject.driver.load(IRIS, subject.lay(IRIS), size_hint_bytes=HINT_BYTES)
        assert await subject.held() == {IRIS}
        size_bytes = loaded.size_bytes or await subject.driver.size_bytes(IRIS)
        assert size_bytes is not None
        assert size_bytes > 0

    async def test_models_load_side_by_side(self, subject: Subject) -> None:
        async with asyncio.TaskGroup() as group:
            for model in (IRIS, MNIST):
                info = subject.lay(model)
                group.create_task(subject.driver.load(model, info, size_hint_bytes=HINT_BYTES))
        assert await subject.held() == {IRIS, MNIST}

    async def test_an_unloaded_model_is_not_held_and_can_be_loaded_again(self, subject: Subject) -> None:
        info = subject.lay(IRIS)
        await subject.driver.load(IRIS, info, size_hint_bytes=HINT_BYTES)
        await subject.driver.unload(IRIS)
        assert await subject.held() == set()
        await subject.driver.load(IRIS, info, size_hint_bytes=HINT_BYTES)
        assert await subject.held() == {IRIS}

    async def test_what_is_not_loaded_counts_as_unloaded(self, subject: Subject) -> None:
        await subject.driver.unload(IRIS)
        await subject.driver.load(IRIS, subject.lay(IRIS), size_hint_bytes=HINT_BYTES)
        await subject.driver.unload(IRIS)
        await subject.driver.unload(IRIS)

    @pytest.mark.parametrize("flaw", [pytest.param(flaw, id=flaw.name.lower()) for flaw in Flaw])
    async def test_a_load_that_fails_says_why_and_harms_no_other(self, subject: Subject, flaw: Flaw) -> None:
        error, says = subject.refusals[flaw]
        with pytest.raises(error, match=says) as raised:
            await subject.driver.load(IRIS, subject.lay(IRIS, flaw), size_hint_bytes=HINT_BYTES)
        assert type(raised.value) is error
        await subject.driver.unload(IRIS)
        await subject.driver.load(MNIST, subject.lay(MNIST), size_hint_bytes=HINT_BYTES)
        assert await subject.held() == {MNIST}

    async def test_a_cancelled_load_and_then_an_unload_leave_nothing(self, subject: Subject) -> None:
        info = subject.lay(IRIS)
        async with asyncio.TaskGroup() as group:
            loading = group.create_task(subject.driver.load(IRIS, info, size_hint_bytes=HINT_BYTES))
            await asyncio.sleep(0.002)
            loading.cancel()
        await subject.driver.unload(IRIS)
        assert await subject.held() == set()
        await subject.driver.load(IRIS, info, size_hint_bytes=HINT_BYTES)
        assert await subject.held() == {IRIS}

    async def test_when_it_is_gone_all_say_so(self, subject: Subject) -> None:
        info = subject.lay(IRIS)
        await subject.driver.load(IRIS, info, size_hint_bytes=HINT_BYTES)
        await subject.kill()
        status = await subject.driver.status()
        assert status.state is RuntimeState.STARTING
        assert status.reason
        with pytest.raises(RuntimeUnavailable):
            await subject.driver.load(IRIS, info, size_hint_bytes=HINT_BYTES)
        with pytest.raises(RuntimeUnavailable):
            await subject.driver.unload(IRIS)
