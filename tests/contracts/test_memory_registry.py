"""The registry in memory does what real ones do."""

import pytest

from adapter.domain.errors import RegistryUnavailable
from tests.contracts.registry import RegistryContract
from tests.fakes.memory_registry import MemoryRegistry


class TestMemoryRegistry(RegistryContract):
    @pytest.fixture
    def registry(self) -> MemoryRegistry:
        return MemoryRegistry()

    async def test_while_it_is_away_nothing_is_answered(self, registry: MemoryRegistry) -> None:
        registry.away = True
        with pytest.raises(RegistryUnavailable):
            await registry.get("iris")
