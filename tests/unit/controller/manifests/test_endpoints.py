import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.controller.manifests.endpoints import parse_endpoint, unused_endpoint
from adapter.domain.specs import Endpoint


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        pytest.param("port:8085", Endpoint(port=8085), id="a port"),
        pytest.param("unix:/run/runtime/grpc.sock", Endpoint(socket="/run/runtime/grpc.sock"), id="a socket"),
        pytest.param("unix:///tmp/a/b.sock", Endpoint(socket="/tmp/a/b.sock"), id="with slashes"),
    ],
)
def test_both_forms_are_read(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("", "port:N", id="nothing"),
        pytest.param("8085", "port:N", id="a bare number"),
        pytest.param("port:", "port:N", id="no number"),
        pytest.param("port:http", "port:N", id="a name"),
        pytest.param("port:0", "from 1 to 65535", id="zero"),
        pytest.param("port:65536", "from 1 to 65535", id="too high"),
        pytest.param("/run/grpc.sock", "port:N", id="a bare path"),
        pytest.param("unix:grpc.sock", "absolute", id="a relative path"),
        pytest.param("unix:/run/", "absolute", id="a folder"),
        pytest.param("unix:/run/../etc/grpc.sock", "absolute", id="upwards"),
        pytest.param("unix:/grpc.sock", "in a folder", id="in the root"),
        pytest.param("unix:/run/" + "x" * 103, "at most 107", id="too long"),
    ],
)
def test_another_form_is_told_what_to_write(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_endpoint(text)


@given(st.text() | st.from_regex(r"(port|unix):.*"))
def test_whatever_is_written_is_an_endpoint_or_a_value_error(text: str) -> None:
    try:
        found = parse_endpoint(text)
    except ValueError:
        assert unused_endpoint(text) is None
    else:
        assert parse_endpoint(str(found)) == found == unused_endpoint(text)
