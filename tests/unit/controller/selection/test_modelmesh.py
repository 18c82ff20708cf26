import pytest

from adapter.controller.selection.modelmesh import ModelMeshSelector, select
from adapter.controller.verdicts import Chosen, NoRuntime, Selection
from adapter.domain.specs import FailureReason, ModelSpec, RuntimeSpec
from tests.unit.controller.selection.words import a_model, a_runtime, auto, by_name, names

MLSERVER = a_runtime(
    "mlserver-1.x",
    auto("sklearn", "0"),
    auto("xgboost", "1"),
    protocols="grpc-v2",
    flags="multiModel",
)
TRITON = a_runtime(
    "triton-2.x", auto("onnx", "1"), by_name("sklearn", "0"), protocols="grpc-v2", flags="multiModel"
)
OVMS = a_runtime("ovms-1.x", auto("onnx", "1"), protocols="grpc-v1", flags="multiModel")
TORCHSERVE = a_runtime("torchserve-0.x", auto("pytorch-mar", "0"), flags="multiModel")
OFF = a_runtime("off", auto("sklearn", "0"), protocols="grpc-v2", flags="multiModel disabled")
SINGLE = a_runtime("single", auto("sklearn", "0"))
ALL = [TRITON, OVMS, TORCHSERVE, MLSERVER, OFF, SINGLE]


def verdict(model: ModelSpec, *runtimes: RuntimeSpec, rest_enabled: bool = True) -> Selection:
    return select(model, runtimes or ALL, rest_enabled=rest_enabled)


def chosen(model: ModelSpec, *runtimes: RuntimeSpec, rest_enabled: bool = True) -> list[str]:
    found = verdict(model, *runtimes, rest_enabled=rest_enabled)
    return names(found.runtimes) if isinstance(found, Chosen) else []


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        pytest.param(a_model("sklearn"), ["mlserver-1.x"], id="a format"),
        pytest.param(a_model("onnx"), ["ovms-1.x", "triton-2.x"], id="all that support it"),
        pytest.param(a_model("onnx", "1"), ["ovms-1.x", "triton-2.x"], id="a version"),
        pytest.param(a_model("onnx", "1.2"), [], id="versions are text"),
        pytest.param(a_model("onnx", protocol="grpc-v1"), ["ovms-1.x"], id="a protocol"),
        pytest.param(a_model("sklearn", protocol="v1"), [], id="the SDK's default protocol"),
        pytest.param(a_model("sklearn", protocol="v2"), ["mlserver-1.x"], id="REST, over gRPC"),
        pytest.param(a_model("pytorch-mar", protocol="v2"), [], id="no protocols listed"),
        pytest.param(a_model("pytorch-mar"), ["torchserve-0.x"], id="and none asked for"),
        pytest.param(a_model("onnx", protocol="v1", runtime="mlserver-1.x"), ["mlserver-1.x"], id="named"),
        pytest.param(a_model("sklearn", runtime=""), ["mlserver-1.x"], id="an empty name is none"),
        pytest.param(a_model("sklearn", runtime="off"), [], id="named and disabled"),
        pytest.param(a_model("sklearn", runtime="single"), [], id="named and not multi-model"),
    ],
)
def test_the_labels_decide(model: ModelSpec, expected: list[str]) -> None:
    assert chosen(model) == expected


def test_without_rest_v2_is_not_served_by_grpc_v2() -> None:
    assert chosen(a_model("sklearn", protocol="v2"), rest_enabled=False) == []


def test_the_highest_priority_alone_is_used() -> None:
    first = a_runtime("first", auto("onnx", None, 3), flags="multiModel")
    equal = a_runtime("equal", auto("onnx", "1", 3), flags="multiModel")
    found = verdict(a_model("onnx"), first, equal, TRITON)
    assert isinstance(found, Chosen)
    assert names(found.runtimes) == ["equal", "first"]
    assert found.type == "mt:onnx"
    (refusal,) = found.refusals
    assert refusal.because == "has priority none for this format, and another has 3"
    assert chosen(a_model("onnx", runtime="triton-2.x"), first, TRITON) == ["triton-2.x"]


@pytest.mark.parametrize(
    ("model", "reason", "message"),
    [
        pytest.param(
            a_model("nobody"),
            FailureReason.NO_SUPPORTING_RUNTIME,
            "No ServingRuntime supports specified model type and/or protocol",
            id="format",
        ),
        pytest.param(
            a_model("sklearn", runtime="nobody"),
            FailureReason.RUNTIME_NOT_RECOGNIZED,
            "Specified runtime name not recognized",
            id="name",
        ),
    ],
)
def test_a_refusal_says_why_of_every_runtime(model: ModelSpec, reason: FailureReason, message: str) -> None:
    refused = verdict(model)
    assert isinstance(refused, NoRuntime)
    assert (refused.reason, refused.message) == (reason, message)
    assert [refusal.runtime for refusal in refused.refusals] == sorted(names(tuple(ALL)))
    assert all(refusal.because for refusal in refused.refusals)


@pytest.mark.parametrize(
    ("model", "runtime", "because"),
    [
        pytest.param(a_model("onnx"), MLSERVER, "does not support onnx (it lists sklearn", id="format"),
        pytest.param(
            a_model("xgboost", "2"), MLSERVER, "does not support xgboost version 2 (it lists", id="version"
        ),
        pytest.param(a_model("ONNX"), OVMS, "does not support ONNX (it lists onnx", id="case"),
        pytest.param(
            a_model("sklearn"), TRITON, "supports sklearn without autoSelect: it must be named", id="auto"
        ),
        pytest.param(
            a_model("sklearn", protocol="v1"),
            MLSERVER,
            "does not list protocol v1 but grpc-v2",
            id="protocol",
        ),
        pytest.param(a_model("sklearn"), OFF, "is disabled (spec.disabled)", id="disabled"),
        pytest.param(a_model("sklearn"), SINGLE, "serves one model only (spec.multiModel", id="mode"),
        pytest.param(
            a_model("sklearn", runtime="mine"), OVMS, "has another name than the one that", id="name"
        ),
        pytest.param(
            a_model("a,b"),
            a_runtime("comma", auto("a,b"), flags="multiModel"),
            "has a comma in the name",
            id="comma",
        ),
        pytest.param(
            a_model("onnx", protocol="v1"),
            a_runtime("bare", flags="disabled"),
            "is disabled (spec.disabled); serves one model only (spec.multiModel is not true), and "
            "ModelMesh needs one for many; does not support onnx (it lists no formats); does not list",
            id="all at once",
        ),
    ],
)
def test_each_runtime_is_told_what_stands_against_it(
    model: ModelSpec, runtime: RuntimeSpec, because: str
) -> None:
    refused = verdict(model, runtime)
    assert isinstance(refused, NoRuntime)
    assert refused.refusals[0].because.startswith(because)


def test_models_of_one_type_share_a_verdict() -> None:
    selector = ModelMeshSelector(ALL, rest_enabled=True)
    assert selector.select(a_model("onnx")) is selector.select(a_model("onnx"))
    assert selector.select(a_model("onnx")) != selector.select(a_model("sklearn"))


def test_what_is_remembered_is_bounded() -> None:
    selector = ModelMeshSelector([MLSERVER], rest_enabled=True)
    for number in range(2_500):
        selector.select(a_model(f"format-{number}"))
    assert len(selector._verdicts) <= 1_000
