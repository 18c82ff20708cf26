from dataclasses import replace

import pytest

from adapter.controller.selection.admission import priority_complaints
from adapter.domain.specs import RuntimeSpec, SupportedFormat
from tests.unit.controller.selection.words import CLUSTER, a_runtime, auto, by_name

OLD = a_runtime("old", auto("sklearn", "1", 1), protocols="v1 v2", flags="multiModel")
NEW = replace(OLD, identity=replace(OLD.identity, name="new"))


def but(
    runtime: RuntimeSpec,
    *formats: SupportedFormat,
    name: str = "",
    protocols: str = "v1 v2",
    flags: str = "multiModel",
) -> RuntimeSpec:
    return a_runtime(name or runtime.name, *(formats or runtime.formats), protocols=protocols, flags=flags)


@pytest.mark.parametrize(
    ("old", "new", "denied"),
    [
        pytest.param(OLD, but(NEW, flags=""), False, id="row 56"),
        pytest.param(OLD, NEW, True, id="row 57"),
        pytest.param(but(OLD, flags="multiModel disabled"), NEW, False, id="row 58"),
        pytest.param(OLD, but(NEW, name="old"), False, id="row 59"),
        pytest.param(OLD, but(NEW, protocols="grpc-v1 grpc-v2"), False, id="row 60"),
        pytest.param(OLD, but(NEW, auto("lightgbm", "1", 1)), False, id="row 61"),
        pytest.param(OLD, but(NEW, by_name("sklearn", "1", 1)), False, id="row 62"),
        pytest.param(but(OLD, by_name("sklearn", "1", 1)), NEW, False, id="row 63"),
        pytest.param(
            but(OLD, auto("sklearn", None, 1)), but(NEW, auto("sklearn", None, 1)), True, id="row 64"
        ),
        pytest.param(
            but(OLD, auto("sklearn", None, 1)), but(NEW, auto("sklearn", None, 2)), False, id="row 65"
        ),
        pytest.param(but(OLD, auto("sklearn", None, 1)), NEW, False, id="row 66, the old"),
        pytest.param(OLD, but(NEW, auto("sklearn", None, 1)), False, id="row 66, the new"),
        pytest.param(OLD, but(NEW, auto("sklearn", "1", 1)), True, id="row 67"),
        pytest.param(OLD, but(NEW, auto("sklearn", "2", 1)), False, id="row 68"),
        pytest.param(but(OLD, auto("sklearn", "1")), but(NEW, auto("sklearn", "1")), False, id="row 69"),
        pytest.param(but(OLD, auto("sklearn", "1")), NEW, False, id="row 69, the old"),
        pytest.param(OLD, but(NEW, auto("sklearn", "1")), False, id="row 69, the new"),
        pytest.param(OLD, but(NEW, auto("SKLearn", "1", 1)), True, id="case does not matter"),
        pytest.param(but(OLD, protocols=""), but(NEW, protocols=""), False, id="no protocols"),
        pytest.param(OLD, but(NEW, flags="multiModel disabled"), False, id="the new is disabled"),
    ],
)
def test_two_runtimes_may_not_want_the_same_models_as_much(
    old: RuntimeSpec, new: RuntimeSpec, *, denied: bool
) -> None:
    assert bool(priority_complaints(new, [old])) is denied


@pytest.mark.parametrize(
    ("second", "denied"),
    [
        pytest.param(2, True, id="row 70"),
        pytest.param(1, False, id="row 71"),
        pytest.param(None, False, id="none"),
    ],
)
def test_one_runtime_may_not_want_a_format_in_two_ways(second: int | None, *, denied: bool) -> None:
    runtime = a_runtime("a", auto("sklearn", "0", 1), auto("sklearn", "1", second), flags="multiModel")
    assert bool(priority_complaints(runtime, [])) is denied


def test_other_scopes_do_not_matter() -> None:
    clusters = replace(OLD, identity=replace(OLD.identity, namespace=CLUSTER))
    elsewhere = replace(OLD, identity=replace(OLD.identity, namespace="elsewhere"))
    leaving = replace(OLD, identity=replace(OLD.identity, deleted=True))
    assert priority_complaints(NEW, [clusters, elsewhere, leaving]) == ()


def test_every_complaint_is_told_at_once_with_its_field() -> None:
    new = but(NEW, auto("onnx", "1", 3), auto("onnx", "2", 4), auto("sklearn", "1", 1))
    first, second = priority_complaints(new, [OLD])
    assert str(first) == (
        "spec.supportedModelFormats[1].priority: different priorities assigned for the model format onnx: "
        "4 here, 3 before; give it the same each time"
    )
    assert str(second) == (
        "spec.supportedModelFormats[2].priority: same priority assigned for the model format sklearn "
        "version 1 in the runtimes old and new in namespace serving; give one of them another than 1"
    )
