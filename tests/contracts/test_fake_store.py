"""The fake store does what real stores do."""

from collections.abc import Mapping

import pytest

from adapter.storage.repository import RepositoryClient, StorageConfig
from tests.contracts.repository_client import AStore, RepositoryClientContract
from tests.fakes.store import FakeStore


class TestFakeStore(RepositoryClientContract):
    @pytest.fixture
    def a_store(self) -> AStore:
        async def made(objects: Mapping[str, bytes]) -> RepositoryClient:
            store = FakeStore({"models": dict(objects)})
            return await store.client(StorageConfig(type="s3", fields={"bucket": "models"}))

        return made
