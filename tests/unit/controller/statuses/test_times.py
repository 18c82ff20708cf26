import pytest

from adapter.controller.statuses import times


@pytest.mark.parametrize(
    ("epoch_ms", "text"),
    [
        pytest.param(0, "1970-01-01T00:00:00Z", id="the beginning"),
        pytest.param(1_760_000_000_999, "2025-10-09T08:53:20Z", id="to the second"),
        pytest.param(-5, "1970-01-01T00:00:00Z", id="before it"),
        pytest.param(10**18, "9999-12-31T23:59:59Z", id="beyond all years"),
    ],
)
def test_a_time_is_written_as_the_api_server_does(epoch_ms: int, text: str) -> None:
    assert times.written(epoch_ms) == text


@pytest.mark.parametrize(
    ("text", "epoch_ms"),
    [
        pytest.param("2025-10-09T08:53:20Z", 1_760_000_000_000, id="UTC"),
        pytest.param("2025-10-09T10:53:20+02:00", 1_760_000_000_000, id="elsewhere"),
        pytest.param("2025-10-09T08:53:20", 1_760_000_000_000, id="without a zone"),
        pytest.param("yesterday", None, id="no time"),
        pytest.param("", None, id="nothing"),
        pytest.param(12, None, id="no text"),
    ],
)
def test_a_time_is_read_whatever_stands_there(text: object, epoch_ms: int | None) -> None:
    assert times.read(text) == epoch_ms
