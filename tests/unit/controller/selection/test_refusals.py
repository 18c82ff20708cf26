from adapter.controller.selection import refusals as because
from adapter.domain.specs import ModelFormat
from tests.unit.controller.selection.words import a_runtime, auto, by_name

SKLEARN_1 = ModelFormat(name="sklearn", version="1")


def test_the_nearest_formats_are_told() -> None:
    runtime = a_runtime("a", auto("sklearn", "0"), by_name("sklearn", "2"), auto("onnx"))
    told = "does not support sklearn version 1 (it lists sklearn version 0, sklearn version 2)"
    assert because.wrong_format(runtime, SKLEARN_1) == told
    assert because.wrong_format_named(runtime, SKLEARN_1) == told
    assert "(it lists onnx)" in because.wrong_format(a_runtime("a", auto("onnx")), SKLEARN_1)


def test_a_format_that_fits_is_no_reason() -> None:
    runtime = a_runtime("a", by_name("sklearn", "1"))
    assert because.wrong_format_named(runtime, SKLEARN_1) == ""
    assert because.wrong_format(runtime, SKLEARN_1).startswith(
        "supports sklearn version 1 without autoSelect"
    )
