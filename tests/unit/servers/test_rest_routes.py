import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.errors import AdapterError, InvalidRequest
from adapter.servers.rest_answers import UnknownPath, WrongMethod
from adapter.servers.rest_routes import Action, Route, infer_route, route


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("GET", "/", Route(Action.ALIVE)),
        ("GET", "/v2", Route(Action.SERVER)),
        ("GET", "/v2/", Route(Action.SERVER)),
        ("GET", "/v2/health/live", Route(Action.SERVER_LIVE)),
        ("HEAD", "/v2/health/ready", Route(Action.SERVER_READY)),
        ("GET", "/v2/models", Route(Action.NAMES)),
        ("GET", "/v2/models/m", Route(Action.METADATA, "m")),
        ("GET", "/v2/models/m/versions/3", Route(Action.METADATA, "m", "3")),
        ("GET", "/v2/models/m/ready", Route(Action.MODEL_READY, "m")),
        ("GET", "/v2/models/m/versions/3/ready", Route(Action.MODEL_READY, "m", "3")),
        ("POST", "/v2/models/m/infer", Route(Action.INFER, "m")),
        ("POST", "/v2/models/m/versions/3/infer", Route(Action.INFER, "m", "3")),
        ("GET", "/v2/models/versions", Route(Action.METADATA, "versions")),
        ("POST", "/v2/repository/index", Route(Action.INDEX)),
        ("POST", "/v2/repository/models/m/load", Route(Action.LOAD, "m")),
        ("POST", "/v2/repository/models/m/unload", Route(Action.UNLOAD, "m")),
        ("GET", "/v1/models", Route(Action.NAMES)),
        ("GET", "/v1/models/m", Route(Action.V1_READY, "m")),
        ("GET", "/v1/models/m:n", Route(Action.V1_READY, "m:n")),
        ("POST", "/v1/models/m:predict", Route(Action.V1_PREDICT, "m")),
        ("POST", "/v1/models/m:n:predict", Route(Action.V1_PREDICT, "m:n")),
        ("POST", "/v1/models/m:explain", Route(Action.V1_EXPLAIN, "m")),
    ],
)
def test_each_path_has_its_meaning(method: str, path: str, found: Route) -> None:
    assert route(method, path.encode()) == found


@pytest.mark.parametrize(
    ("encoded", "name"),
    [
        pytest.param("my%20m", "my m", id="a blank"),
        pytest.param("a%2Fb", "a/b", id="a slash"),
        pytest.param("gr%C3%B6%C3%9Fe", "größe", id="letters beyond ASCII"),
        pytest.param("100%", "100%", id="a percent sign that encodes nothing"),
        pytest.param("a+b", "a+b", id="a plus is a plus"),
    ],
)
def test_names_are_percent_encoded(encoded: str, name: str) -> None:
    assert route("POST", f"/v2/models/{encoded}/infer".encode()).model == name
    assert route("POST", f"/v1/models/{encoded}:predict".encode()).model == name


def test_the_version_can_stand_in_the_query() -> None:
    assert route("GET", b"/v2/models/m", b"version=3&x=y") == Route(Action.METADATA, "m", "3")
    assert route("GET", b"/v2/models/m/versions/4", b"version=3").version == "4"


@pytest.mark.parametrize(
    "path",
    [
        "/v3",
        "/v2/models/",
        "/v2/models/m/",
        "/v2/models//infer",
        "/v2/models/a/b/infer",
        "/v2/models/m/versions/",
        "/v2/models/m/versions//infer",
        "/v2/models/m/stats",
        "/v2/health",
        "/v2/repository/models/m/explode",
        "/v1/models/",
        "/v1/models/:predict",
        "*",
        "",
    ],
)
def test_what_is_nowhere_is_not_found(path: str) -> None:
    with pytest.raises(UnknownPath, match="Not Found"):
        route("GET", path.encode())


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        pytest.param("POST", "/v2/models/m", b"GET, HEAD", id="a form never becomes a GET"),
        pytest.param("GET", "/v2/models/m/infer", b"POST", id="an inference without a body"),
        pytest.param("OPTIONS", "/v2", b"GET, HEAD", id="options"),
    ],
)
def test_another_method_is_told_which_are_allowed(method: str, path: str, allowed: bytes) -> None:
    with pytest.raises(WrongMethod, match="Method Not Allowed") as caught:
        route(method, path.encode())
    assert caught.value.headers() == ((b"allow", allowed),)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        pytest.param(b"/v2/models/%ff", b"", id="the path"),
        pytest.param(b"/v2/models/m", b"version=%ff", id="the query"),
        pytest.param(b"/v2/models/m", b"a=1&" * 20, id="too much in the query"),
    ],
)
def test_what_is_not_utf8_is_refused(path: bytes, query: bytes) -> None:
    with pytest.raises(InvalidRequest):
        route("GET", path, query)


@given(st.sampled_from(["GET", "POST"]), st.binary(max_size=60), st.binary(max_size=30))
def test_any_path_is_found_or_refused(method: str, path: bytes, query: bytes) -> None:
    try:
        route(method, b"/v2/models/" + path, query)
    except AdapterError:
        return


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("/v2/models/a%2Fb/infer", Route(Action.INFER, "a/b")),
        ("/v2/models/m/versions/3/infer", Route(Action.INFER, "m", "3")),
        ("/v2/models/m/ready", None),
        ("/v2/models/m/infer?version=3", None),
        ("/v2/models/m?x=/infer", None),
        ("/v2/models/m#/infer", None),
        ("/v2/models//infer", None),
        ("/v2/models/%ff/infer", None),
        ("/v2/models/infer", None),
        ("http://elsewhere/v2/models/m/infer", None),
    ],
)
def test_the_url_of_an_inference_is_known(url: str, found: Route | None) -> None:
    assert infer_route(url.encode()) == found
