import pytest

from adapter.domain.errors import InvalidRequest
from adapter.instance import naming
from adapter.instance.naming import RESOLVED_KEY, Naming, Reading, last_of
from adapter.wire.headers import ModelRef, Pair, RefKind
from tests.unit.instance.calls import waiting_call

IN_FIELD_1 = Reading(id_path=(1,), id_kind=RefKind.EITHER)
HEADERS_FIRST = Reading(id_path=(1,), headers_first=True)
FORWARDED = Reading(id_path=(1,), forwarded=True)
MNIST = b"\x0a\x05mnist"
BY_HEADER = (ModelRef(RefKind.MODEL, "iris"),)
BY_MESSAGE = (ModelRef(RefKind.EITHER, "mnist"),)
IRIS: list[Pair] = [("mm-model-id", "iris")]


@pytest.mark.parametrize(
    ("reading", "message", "headers", "refs"),
    [
        pytest.param(Reading(), MNIST, IRIS, BY_HEADER, id="a method that says nothing of messages"),
        pytest.param(IN_FIELD_1, MNIST, [], BY_MESSAGE, id="the message"),
        pytest.param(IN_FIELD_1, MNIST, IRIS, BY_MESSAGE, id="the message before the headers"),
        pytest.param(IN_FIELD_1, b"", IRIS, BY_HEADER, id="the headers if the message names none"),
        pytest.param(HEADERS_FIRST, MNIST, IRIS, BY_HEADER, id="the headers before the message"),
    ],
)
def test_a_call_is_for_whom_it_names(
    reading: Reading, message: bytes, headers: list[Pair], refs: tuple[ModelRef, ...]
) -> None:
    found, located = Naming().named(waiting_call(message, headers), reading)
    assert found == refs
    assert (located is not None) is (refs == BY_MESSAGE)


def test_what_is_found_in_a_message_can_be_replaced_there() -> None:
    _, located = Naming().named(waiting_call(MNIST + b"\x12\x01x"), IN_FIELD_1)
    assert located is not None
    assert (located.value, located.length_at, located.end) == ("mnist", 1, 7)


def test_headers_that_name_several_models_name_them_in_their_order() -> None:
    headers: list[Pair] = [("mm-model-id", name) for name in "bac"]
    refs, _ = Naming().named(waiting_call(metadata=headers), Reading())
    assert [ref.name for ref in refs] == ["b", "a", "c"]


def test_a_forwarded_call_is_for_the_model_that_the_other_instance_found() -> None:
    headers = [*IRIS, (RESOLVED_KEY, b"of the client's"), (RESOLVED_KEY, "ирис".encode())]
    refs, located = Naming().named(waiting_call(MNIST, headers), FORWARDED)
    assert refs == (ModelRef(RefKind.MODEL, "ирис"),)
    assert located is not None


@pytest.mark.parametrize(
    ("reading", "message", "headers", "complaint"),
    [
        pytest.param(Reading(), MNIST, [], "must include mm-model-id header", id="nothing"),
        pytest.param(IN_FIELD_1, b"", [], "must include mm-model-id header", id="nothing anywhere"),
        pytest.param(IN_FIELD_1, b"\x0a\x00", IRIS, "must be non-empty", id="an empty name"),
        pytest.param(IN_FIELD_1, b"\x0a\x01\xff", [], "is not UTF-8", id="a name that is no text"),
        pytest.param(FORWARDED, MNIST, IRIS, "must name its model", id="forwarded without a name"),
        pytest.param(FORWARDED, MNIST, [(RESOLVED_KEY, b"\xff")], "must be UTF-8", id="forwarded, no text"),
    ],
)
def test_a_call_that_names_nobody_is_refused(
    reading: Reading, message: bytes, headers: list[Pair], complaint: str
) -> None:
    with pytest.raises(InvalidRequest, match=complaint):
        Naming().named(waiting_call(message, headers), reading)


def test_what_headers_said_is_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "REMEMBERED_MAX", 3)
    monkeypatch.setattr(naming, "REMEMBERED_CHARS_MAX", 20)
    names = Naming()
    for name in ["a" * 50, *map(str, range(10))]:
        assert names.in_headers((("mm-model-id", name),)) == (ModelRef(RefKind.MODEL, name),)
    assert len(names._refs) <= 3
    first = names.in_headers((("mm-model-id", "9"),))
    assert names.in_headers((("mm-model-id", "9"),)) is first


def test_the_last_binary_value_of_a_key_counts() -> None:
    ids: tuple[Pair, ...] = (("k-bin", b"1"), ("k-bin", b"2"), ("k-bin", "text"), ("other-bin", b"3"))
    assert last_of(ids, "k-bin") == b"2"
    assert last_of(ids, "none-bin") is None
