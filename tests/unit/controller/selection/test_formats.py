import pytest

from adapter.controller.selection.formats import matching, priority, told, told_all
from adapter.domain.specs import ModelFormat, RuntimeSpec, SupportedFormat
from tests.unit.controller.selection.words import a_runtime, auto, by_name

TWO = a_runtime("two", auto("sklearn", None, 1), auto("pytorch", None, 2))
ONE = a_runtime("one", auto("sklearn"), auto("pytorch", None, 2))


@pytest.mark.parametrize(
    ("runtime", "name", "expected"),
    [
        pytest.param(TWO, "pytorch", 2, id="row 16"),
        pytest.param(ONE, "sklearn", None, id="row 17"),
        pytest.param(TWO, "lightgbm", None, id="row 18"),
    ],
)
def test_the_priority_is_that_of_the_format(runtime: RuntimeSpec, name: str, expected: int | None) -> None:
    assert priority(runtime, name) == expected


def test_the_first_entry_of_a_name_speaks_for_all_of_them() -> None:
    assert priority(a_runtime("a", auto("sklearn", "0"), auto("sklearn", "1", 5)), "sklearn") is None


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        pytest.param(by_name("sklearn"), False, id="row 19, unset or false"),
        pytest.param(auto("sklearn"), True, id="row 19, true"),
    ],
)
def test_only_what_may_be_selected_automatically_is(entry: SupportedFormat, *, found: bool) -> None:
    runtime, wanted = a_runtime("a", entry), ModelFormat(name="sklearn")
    assert bool(matching(runtime, wanted)) is found
    assert matching(runtime, wanted, automatic=False) == (entry,)


def test_a_version_is_compared_as_text() -> None:
    runtime = a_runtime("a", auto("sklearn", "0"), auto("sklearn"))
    assert len(matching(runtime, ModelFormat(name="sklearn", version="0"))) == 1
    assert matching(runtime, ModelFormat(name="sklearn", version="0.0")) == ()
    assert len(matching(runtime, ModelFormat(name="sklearn"))) == 2


def test_people_are_told_name_and_version() -> None:
    assert told("sklearn", "0") == "sklearn version 0"
    assert told_all([auto("onnx"), auto("sklearn", "0"), by_name("onnx")]) == "onnx, sklearn version 0"
