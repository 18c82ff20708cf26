"""What etcd's API promises, and our client relies on, call by call; whoever serves it.

A server may have been used before: every test has a prefix of its own, and reckons revisions from where it
began.
"""

from collections.abc import AsyncIterator

import grpc
import pytest

from tests.contracts.etcd_api_leases import LeaseContract
from tests.contracts.etcd_api_txns import TxnContract
from tests.contracts.etcd_api_values import KeyValueContract
from tests.contracts.etcd_api_watches import WatchContract
from tests.contracts.etcd_talk import CHANNEL, EtcdApi


class EtcdApiContract(KeyValueContract, TxnContract, LeaseContract, WatchContract):
    """A subclass offers the fixture `address`, of a server whose data it may fill."""

    @pytest.fixture
    async def api(self, address: str) -> AsyncIterator[EtcdApi]:
        async with grpc.aio.insecure_channel(address, options=CHANNEL) as channel:
            yield EtcdApi.over(channel)
