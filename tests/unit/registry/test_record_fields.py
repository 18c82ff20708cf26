from collections.abc import Callable

import pytest

from adapter.domain.errors import RecordUnreadable
from adapter.registry.record_fields import Fields


def fields(value: bytes) -> Fields:
    return Fields.parse("mm/x/iris", value, cure="write it anew")


@pytest.mark.parametrize("parse", [Fields.parse, Fields.parse_fast], ids=["any", "fast"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"{", "not JSON", id="cut off"),
        pytest.param(b"\xff\xfe\xff", "not JSON", id="not text"),
        pytest.param(b"[" * 100_000, "not JSON", id="too deep"),
        pytest.param(b"[]", "a JSON list instead of an object", id="a list"),
        pytest.param(b"null", "a JSON NoneType instead of an object", id="nothing"),
    ],
)
def test_what_is_no_object_is_told_with_its_key_and_the_cure(
    parse: Callable[..., Fields], value: bytes, problem: str
) -> None:
    with pytest.raises(RecordUnreadable, match=rf"mm/x/iris .*{problem}.*; write it anew"):
        parse("mm/x/iris", value, cure="write it anew")


@pytest.mark.parametrize(
    ("take", "value", "problem"),
    [
        pytest.param(Fields.text, b"1", "is not a text", id="a number for a text"),
        pytest.param(Fields.whole, b'"1"', "is not a whole number", id="a text for a whole number"),
        pytest.param(Fields.whole, b"true", "is not a whole number", id="a truth for a whole number"),
        pytest.param(Fields.whole, b"1.5", "is not a whole number", id="a broken number"),
        pytest.param(Fields.count, b"-1", "is negative", id="a negative count"),
        pytest.param(Fields.number, b'"1"', "is not a number", id="a text for a number"),
        pytest.param(Fields.number, b"true", "is not a number", id="a truth for a number"),
        pytest.param(Fields.truth, b"1", "is neither true nor false", id="a number for a truth"),
        pytest.param(Fields.texts, b'"a"', "is not a list", id="a text for a list"),
        pytest.param(Fields.texts, b'["a",1]', "an element that is not a text", id="a list of more"),
        pytest.param(Fields.named, b"[]", "is not an object", id="a list for an object"),
    ],
)
def test_a_field_of_another_kind_is_told(
    take: Callable[[Fields, str], object], value: bytes, problem: str
) -> None:
    with pytest.raises(RecordUnreadable, match=f"field a .*{problem}|field a {problem}"):
        take(fields(b'{"a":' + value + b"}"), "a")


@pytest.mark.parametrize("value", [b"{}", b'{"a":null}'], ids=["absent", "null"])
def test_what_is_null_is_as_good_as_absent(value: bytes) -> None:
    assert fields(value).text("a", default="x") == "x"
    assert fields(value).whole("a", default=7) == 7
    assert fields(value).number("a") == 0.0
    assert fields(value).truth("a") is False
    assert fields(value).texts("a") == ()
    assert fields(value).named("a") == {}


def test_what_was_not_taken_is_left() -> None:
    found = fields(b'{"a":1,"b":2,"c":3}')
    assert found.whole("a") == 1
    found.drop("b")
    assert found.rest() == {"c": 3}
    found.put_back("a", 4)
    assert found.rest() == {"c": 3, "a": 4}
