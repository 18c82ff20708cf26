import pytest

from adapter.controller.go_json import go_json


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("<a>&b", r'{"v":"\u003ca\u003e\u0026b"}', id="what HTML has"),
        pytest.param("a\u2028b\u2029", r'{"v":"a\u2028b\u2029"}', id="what JavaScript has"),
        pytest.param("Ünïcode 😀", '{"v":"Ünïcode 😀"}', id="other characters are as they are"),
        pytest.param("\ud800", '{"v":"\ufffd"}', id="what is no character"),
        pytest.param('"\\\n', r'{"v":"\"\\\n"}', id="what JSON escapes"),
    ],
)
def test_text_is_escaped_as_go_does(value: str, text: str) -> None:
    assert go_json({"v": value}) == text


def test_it_is_compact_in_the_order_given_without_what_is_not_there() -> None:
    members = {"b": {"x": 1, "gone": None, "a": ""}, "gone": None, "a": [1, 2], "empty": {}}
    assert go_json(members) == '{"b":{"x":1,"a":""},"a":[1,2],"empty":{}}'
