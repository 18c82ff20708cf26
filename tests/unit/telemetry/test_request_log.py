import json

import pytest

from adapter.telemetry.request_log import BadRequestLogHeaders, RequestLogHeaders


def test_headers_are_told_under_their_keys() -> None:
    headers = RequestLogHeaders.parse('{"X-Request-Id": "request_id", "x-user-bin": "user"}')
    metadata: list[tuple[str, str | bytes]] = [
        ("x-request-id", "17"),
        ("x-user-bin", "Zoë".encode()),
        ("x", "no"),
    ]
    assert headers.fields(metadata) == {"request_id": "17", "user": "Zoë"}


@pytest.mark.parametrize("text", ["", " ", "{}"])
def test_without_the_setting_none_are_told(text: str) -> None:
    headers = RequestLogHeaders.parse(text)
    assert not headers
    assert headers.fields([("x-request-id", "17")]) == {}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param("a\nb", "a\\nb", id="a second line"),
        pytest.param(b"\xff\x00", "\\\\xff\\x00", id="no UTF-8"),
        pytest.param("x" * 1000, "x" * 256, id="endless"),
    ],
)
def test_a_value_cannot_spoil_the_log(value: str | bytes, told: str) -> None:
    assert RequestLogHeaders({"x-a": "a"}).fields([("x-a", value)]) == {"a": told}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("x-request-id", "is no JSON", id="no JSON"),
        pytest.param("[" * 100_000, "is no JSON", id="JSON without end"),
        pytest.param('["x-request-id"]', "must be an object of strings", id="a list"),
        pytest.param('{"x-request-id": 1}', "must be an object of strings", id="a number"),
        pytest.param('{"x-request-id": "name"}', "cannot be told as 'name'", id="a key that logging keeps"),
        pytest.param('{"x-request-id": ""}', "cannot be told as ''", id="no key"),
        pytest.param(json.dumps({f"x-{n}": f"k{n}" for n in range(33)}), "at most 32", id="too many"),
    ],
)
def test_what_cannot_be_told_is_complained_about(text: str, complaint: str) -> None:
    with pytest.raises(BadRequestLogHeaders, match=f"^MM_LOG_REQUEST_HEADERS: .*{complaint}"):
        RequestLogHeaders.parse(text)
