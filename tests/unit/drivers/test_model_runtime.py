import grpc
import pytest

from adapter.domain.errors import AdapterError, LoadTimedOut, ModelCorrupt, RuntimeFailed
from adapter.domain.ids import ModelId
from adapter.domain.runtime import RuntimeState, RuntimeStatus
from adapter.drivers.model_runtime import load_refused, status_told
from adapter.stubs.mmesh import model_runtime_pb2 as spi

READY = spi.RuntimeStatusResponse.READY


def test_a_status_is_read_field_by_field() -> None:
    told = spi.RuntimeStatusResponse(
        status=READY,
        capacityInBytes=1 << 30,
        maxLoadingConcurrency=6,
        modelLoadingTimeoutMs=90_500,
        defaultModelSizeInBytes=50 << 20,
        runtimeVersion="7",
        limitModelConcurrency=True,
        allowAnyMethod=True,
    )
    told.methodInfos["/a.B/C"].idInjectionPath.extend([1, 2])
    assert status_told(told) == RuntimeStatus(
        state=RuntimeState.READY,
        capacity_bytes=1 << 30,
        loading_concurrency=6,
        loading_timeout_s=90.5,
        default_model_bytes=50 << 20,
        version="7",
        methods={"a.B/C": (1, 2)},
        any_method=True,
        limit_model_concurrency=True,
    )


def test_figures_that_are_not_told_have_their_defaults() -> None:
    status = status_told(spi.RuntimeStatusResponse(status=READY, capacityInBytes=1))
    assert (status.loading_concurrency, status.loading_timeout_s) == (1, 30.0)
    assert status.default_model_bytes == 1_000_000


@pytest.mark.parametrize(
    ("code", "meaning", "says"),
    [
        pytest.param(grpc.StatusCode.DATA_LOSS, ModelCorrupt, "cannot read iris: too bad", id="damaged"),
        pytest.param(grpc.StatusCode.DEADLINE_EXCEEDED, LoadTimedOut, "gave up loading iris", id="too slow"),
        pytest.param(grpc.StatusCode.INTERNAL, RuntimeFailed, "^INTERNAL: too bad$", id="failed"),
        pytest.param(
            grpc.StatusCode.INVALID_ARGUMENT, RuntimeFailed, "^INVALID_ARGUMENT: too bad$", id="not attempted"
        ),
    ],
)
def test_a_refused_load_keeps_the_runtimes_code_where_its_meaning_is_not_certain(
    code: grpc.StatusCode, meaning: type[AdapterError], says: str
) -> None:
    error = load_refused(ModelId("iris"), code, "too bad")
    assert error is not None
    with pytest.raises(meaning, match=says):
        raise error


def test_a_runtime_that_is_not_there_has_refused_nothing() -> None:
    assert load_refused(ModelId("iris"), grpc.StatusCode.UNAVAILABLE, "connection refused") is None
