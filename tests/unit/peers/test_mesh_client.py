import grpc
import pytest

from adapter.peers.mesh_client import server_timings


@pytest.mark.parametrize(
    ("trailers", "timings"),
    [
        pytest.param(
            [("server-timing", "pull;dur=12.1, load;dur=4")], {"pull": 12.1, "load": 4.0}, id="cold"
        ),
        pytest.param([("other", "x")], {}, id="warm"),
        pytest.param([("server-timing", "cache, pull;dur=x")], {}, id="steps without a time"),
    ],
)
def test_server_timings_are_read_by_step(trailers: list[tuple[str, str]], timings: dict[str, float]) -> None:
    assert server_timings(grpc.aio.Metadata(*trailers)) == timings


def test_no_trailers_are_no_timings() -> None:
    assert server_timings(None) == {}
