"""The contract of etcd's API, on etcd itself: what it asks of our server must be true."""

from collections.abc import Iterator

import pytest

from tests.contracts.etcd_api import EtcdApiContract
from tests.integration.etcd import serving


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("etcd")) as etcd:
        yield etcd.endpoint


class TestEtcd(EtcdApiContract):
    """Nothing beside the contract."""
