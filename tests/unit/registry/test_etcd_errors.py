import grpc
import pytest
from grpc import StatusCode as Code

from adapter.domain.errors import InvalidRequest, RegistryUnavailable
from adapter.registry.etcd_errors import Fault, RevisionGone, Silent, Unreachable, fault_of, our_error
from adapter.registry.registry import LeaseLost


def an_error(code: Code, text: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=text)


@pytest.mark.parametrize(
    ("code", "text", "fault"),
    [
        (Code.UNAVAILABLE, "failed to connect to all addresses; refused", Fault.UNSENT),
        (Code.UNAVAILABLE, "DNS resolution failed for etcd:1", Fault.UNSENT),
        (Code.UNAVAILABLE, "Socket closed", Fault.LOST),
        (Code.UNAVAILABLE, "etcdserver: request timed out", Fault.LOST),
        (Code.UNAVAILABLE, "etcdserver: no leader", Fault.ELECTING),
        (Code.DEADLINE_EXCEEDED, "Deadline Exceeded", Fault.LOST),
        (Code.UNAUTHENTICATED, "etcdserver: invalid auth token", Fault.TOKEN),
        (Code.INVALID_ARGUMENT, "etcdserver: revision of auth store is old", Fault.TOKEN),
        (Code.INVALID_ARGUMENT, "etcdserver: user name is empty", Fault.TOKEN),
        (Code.NOT_FOUND, "etcdserver: requested lease not found", Fault.LEASE),
        (Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted", Fault.REVISION),
        (Code.INVALID_ARGUMENT, "etcdserver: request is too large", Fault.INVALID),
        (Code.PERMISSION_DENIED, "etcdserver: permission denied", Fault.REFUSED),
        (Code.UNKNOWN, "?", Fault.LOST),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_can_be_done_about_it(code: Code, text: str, fault: Fault) -> None:
    assert fault_of(an_error(code, text)) is fault


@pytest.mark.parametrize(
    ("code", "text", "ours", "told"),
    [
        pytest.param(
            *(Code.UNAVAILABLE, "failed to connect: refused", Unreachable),
            "the registry at a:1 cannot be reached (reading iris): failed to connect: refused",
            id="refused",
        ),
        pytest.param(
            *(Code.DEADLINE_EXCEEDED, "Deadline Exceeded", Silent),
            "the registry at a:1 did not answer in time (reading iris)",
            id="no answer",
        ),
        pytest.param(
            *(Code.UNAVAILABLE, "Socket closed", Silent),
            "the connection to the registry at a:1 was lost (reading iris): Socket closed",
            id="closed",
        ),
        pytest.param(
            *(Code.PERMISSION_DENIED, "etcdserver: permission denied", RegistryUnavailable),
            "the registry at a:1 refuses (reading iris): etcdserver: permission denied; "
            "this user may not read and write all keys below `root_prefix`",
            id="not allowed",
        ),
        pytest.param(
            *(Code.INVALID_ARGUMENT, "etcdserver: request is too large", InvalidRequest),
            "the registry at a:1 cannot do this (reading iris): etcdserver: request is too large",
            id="too large",
        ),
        pytest.param(
            *(Code.NOT_FOUND, "etcdserver: requested lease not found", LeaseLost),
            "the lease has ended (reading iris)",
            id="lease",
        ),
        pytest.param(
            *(Code.OUT_OF_RANGE, "etcdserver: mvcc: compacted", RevisionGone),
            "the registry at a:1 does not have this revision (reading iris): etcdserver: mvcc: compacted",
            id="old",
        ),
    ],
)
def test_it_is_told_in_our_words(code: Code, text: str, ours: type[Exception], told: str) -> None:
    error = our_error(an_error(code, text), deed="reading iris", endpoint="a:1", writes=False)
    assert type(error) is ours
    assert str(error) == told


def test_who_wrote_is_told_that_it_may_have_been_done() -> None:
    lost = an_error(Code.UNAVAILABLE, "Socket closed")
    error = our_error(lost, deed="writing", endpoint="a:1", writes=True)
    assert str(error).endswith("it may have been written all the same: look before you write again")
