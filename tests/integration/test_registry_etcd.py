"""The registry over a real etcd."""

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from adapter.aio.clock import LoopClock
from adapter.registry.etcd import EtcdRegistry
from adapter.registry.etcd_options import EtcdOptions
from tests.contracts.registry import RegistryContract
from tests.integration import etcd as real
from tests.integration.etcd import Etcd

roots = itertools.count()


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    with real.serving(tmp_path_factory.mktemp("etcd")) as etcd:
        yield etcd


@pytest.fixture
async def registry(etcd: Etcd) -> AsyncIterator[EtcdRegistry]:
    """Below a root of its own."""
    options = EtcdOptions(endpoints=(etcd.endpoint,), root_prefix=f"test-{next(roots)}/")
    async with EtcdRegistry.connect(options, LoopClock()) as registry:
        yield registry


class TestEtcdRegistry(RegistryContract):
    pass
