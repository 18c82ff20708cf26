"""etcd and the embedded registry, asked the same: each response and each event is the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapter.stubs.etcd import kv_pb2, rpc_pb2, rpc_pb2_grpc
from tests.fakes.etcd_requests import Request, requests, resolved
from tests.integration.etcd import serving
from tests.integration.registry_process import running

EVERY_KEY: dict[str, Any] = {"key": b"\x00", "range_end": b"\x00"}
CALL_S_MAX = 20.0


class Server:
    """One of the two, asked synchronously."""

    def __init__(self, channel: grpc.Channel) -> None:
        kv, lease = rpc_pb2_grpc.KVStub(channel), rpc_pb2_grpc.LeaseStub(channel)
        self.watches = rpc_pb2_grpc.WatchStub(channel)
        self.calls: dict[type, Any] = {
            rpc_pb2.RangeRequest: kv.Range,
            rpc_pb2.PutRequest: kv.Put,
            rpc_pb2.DeleteRangeRequest: kv.DeleteRange,
            rpc_pb2.TxnRequest: kv.Txn,
            rpc_pb2.LeaseGrantRequest: lease.LeaseGrant,
            rpc_pb2.LeaseRevokeRequest: lease.LeaseRevoke,
        }

    def answer(self, request: Request) -> Any:
        """The response without who gives it, or the code and the text of the refusal."""
        try:
            response = self.calls[type(request)](request, timeout=CALL_S_MAX)
        except grpc.RpcError as error:
            call = cast("grpc.Call", error)
            return call.code(), call.details()
        header = response.header
        header.CopyFrom(rpc_pb2.ResponseHeader(revision=header.revision))
        return response

    @property
    def revision(self) -> int:
        return int(self.answer(rpc_pb2.RangeRequest(key=b"any")).header.revision)

    def empty(self) -> None:
        for lease in (11, 12):
            self.answer(rpc_pb2.LeaseRevokeRequest(ID=lease))
        self.answer(rpc_pb2.DeleteRangeRequest(**EVERY_KEY))

    def events(self, *, since: int, until: int) -> list[kv_pb2.Event]:
        """Everything that happened; the last of these revisions must have an event."""
        create = rpc_pb2.WatchCreateRequest(start_revision=since, prev_kv=True, **EVERY_KEY)
        call = self.watches.Watch(iter([rpc_pb2.WatchRequest(create_request=create)]), timeout=CALL_S_MAX)
        found: list[kv_pb2.Event] = []
        for answer in call:
            found += answer.events
            if found and found[-1].kv.mod_revision >= until:
                break
        call.cancel()
        return found


@dataclass(frozen=True)
class Both:
    etcd: Server
    ours: Server

    def level(self) -> int:
        """Empty both, and let them have one revision, which they have not after a test that failed."""
        for server in (self.etcd, self.ours):
            server.empty()
        last = max(self.etcd.revision, self.ours.revision)
        for server in (self.etcd, self.ours):
            for _ in range(last + 2 - server.revision):
                server.answer(rpc_pb2.PutRequest(key=b"any"))
            server.empty()
        return last + 3


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("differential")
    with serving(folder / "etcd") as etcd, running(folder / "mm.registry") as ours:
        addresses = (etcd.endpoint, ours.address)
        channels = [grpc.insecure_channel(address) for address in addresses]
        yield Both(*map(Server, channels))
        for channel in channels:
            channel.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.lists(requests(), min_size=10, max_size=25))
def test_they_answer_alike(both: Both, asked: list[Request]) -> None:
    start = both.level()
    for unresolved in asked:
        request = resolved(unresolved, both.etcd.revision)
        assert both.ours.answer(request) == both.etcd.answer(request), request
    end = both.etcd.revision
    assert both.ours.revision == end
    if end > start:
        events = [server.events(since=start + 1, until=end) for server in (both.ours, both.etcd)]
        assert events[0] == events[1]
