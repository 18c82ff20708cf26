"""The fake runtime keeps the contract, so what is tested with it is true of the real ones."""

from typing import ClassVar

import pytest

from adapter.domain.errors import FormatUnsupported, ModelCorrupt, ObjectMissing
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from tests.contracts.runtime_driver import Flaw, RuntimeDriverContract
from tests.fakes.runtime import FakeRuntime


class FakeSubject:
    """The fake, scripted through its own fields."""

    refusals: ClassVar = {
        Flaw.MISSING: (ObjectMissing, "no file"),
        Flaw.CORRUPT: (ModelCorrupt, "not a model"),
        Flaw.FOREIGN: (FormatUnsupported, "unknown format"),
    }

    def __init__(self) -> None:
        self.driver = FakeRuntime()

    def lay(self, model: ModelId, flaw: Flaw | None = None) -> ModelInfo:
        if flaw is not None:
            error, says = self.refusals[flaw]
            self.driver.load_failures[model] = error(says)
        return ModelInfo(type="sklearn")

    async def held(self) -> set[str]:
        return set(self.driver.held)

    async def kill(self) -> None:
        self.driver.up = False


class TestFakeRuntime(RuntimeDriverContract):
    @pytest.fixture
    def subject(self) -> FakeSubject:
        return FakeSubject()
