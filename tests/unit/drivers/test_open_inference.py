import grpc
import pytest

from adapter.drivers.open_inference import SIZE_TRAILER, told_size


@pytest.mark.parametrize(
    ("trailers", "size_bytes"),
    [
        pytest.param(None, None, id="no trailers"),
        pytest.param(grpc.aio.Metadata(("other", "1")), None, id="none of this name"),
        pytest.param(grpc.aio.Metadata((SIZE_TRAILER, "5000")), 5000, id="a size"),
        pytest.param(grpc.aio.Metadata((SIZE_TRAILER, "0")), 0, id="nothing at all"),
        pytest.param(grpc.aio.Metadata((SIZE_TRAILER, "-1")), None, id="negative"),
        pytest.param(grpc.aio.Metadata((SIZE_TRAILER, "1e3")), None, id="not a whole number"),
        pytest.param(grpc.aio.Metadata((SIZE_TRAILER, "²")), None, id="digits of another kind"),
    ],
)
def test_a_measured_size_is_read_from_the_trailers(
    trailers: grpc.aio.Metadata | None, size_bytes: int | None
) -> None:
    assert told_size(trailers) == size_bytes
