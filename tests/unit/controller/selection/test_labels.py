import pytest

from adapter.controller.selection.labels import model_type, runtime_labels, supports
from adapter.domain.specs import ModelSpec, RuntimeSpec
from tests.unit.controller.selection.words import a_model, a_runtime, auto, by_name

TRITON = a_runtime(
    "triton-2.x", auto("onnx", "1"), auto("keras"), by_name("sklearn", "0"), flags="multiModel"
)


def labels(runtime: RuntimeSpec, *, rest_enabled: bool = True) -> str:
    return ",".join(runtime_labels(runtime, rest_enabled=rest_enabled))


def test_a_runtime_has_its_formats_and_its_name() -> None:
    assert labels(TRITON) == "mt:keras,mt:onnx,mt:onnx:1,rt:triton-2.x"


@pytest.mark.parametrize(
    ("protocols", "rest_enabled", "expected"),
    [
        pytest.param("v1 v2", True, "pv:v1,pv:v2,rt:a", id="those that it lists"),
        pytest.param("grpc-v2", True, "pv:grpc-v2,pv:v2,rt:a", id="v2 over REST"),
        pytest.param("grpc-v2", False, "pv:grpc-v2,rt:a", id="REST is off"),
        pytest.param("grpc-v1", True, "pv:grpc-v1,rt:a", id="v1 is not served over REST"),
        pytest.param("", True, "rt:a", id="none"),
    ],
)
def test_a_runtime_has_its_protocols(protocols: str, rest_enabled: bool, expected: str) -> None:
    runtime = a_runtime("a", protocols=protocols, flags="multiModel")
    assert labels(runtime, rest_enabled=rest_enabled) == expected


def test_a_priority_is_a_label_of_the_runtime_that_has_it() -> None:
    runtime = a_runtime("a", auto("onnx", "1", 7), auto("onnx", "2"), by_name("keras", None, 3))
    assert labels(runtime) == "rt:a"
    several = a_runtime("a", *runtime.formats, flags="multiModel")
    assert labels(several) == "mp:7:onnx,mt:onnx,mt:onnx:1,mt:onnx:2,rt:a"


def test_what_has_a_comma_is_not_said() -> None:
    assert labels(a_runtime("a", auto("onnx,rt:b"), flags="multiModel")) == "rt:a"


@pytest.mark.parametrize(
    ("model", "type_"),
    [
        pytest.param(a_model("sklearn"), "mt:sklearn", id="a format"),
        pytest.param(a_model("sklearn", "0"), "mt:sklearn:0", id="a version"),
        pytest.param(a_model("sklearn", protocol="v2"), "mt:sklearn|pv:v2", id="a protocol"),
        pytest.param(a_model("tf", "1.10", protocol="grpc-v1"), "mt:tf:1.10|pv:grpc-v1", id="all"),
        pytest.param(a_model("tf", "1", protocol="v1", runtime="mine"), "rt:mine", id="a runtime"),
        pytest.param(a_model("sklearn", "", protocol="", runtime=""), "mt:sklearn", id="empty is unset"),
    ],
)
def test_a_model_has_a_type(model: ModelSpec, type_: str) -> None:
    assert model_type(model) == type_


def test_a_type_is_supported_by_who_has_each_of_its_labels() -> None:
    own = frozenset({"mt:tf", "mt:tf:1", "pv:v1"})
    assert supports(own, "mt:tf:1|pv:v1")
    assert not supports(own, "mt:tf:1|pv:v2")
    assert not supports(own, "mt:tf:1.15")
