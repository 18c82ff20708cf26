import pytest

from adapter.controller.selection.kserve import (
    asked_protocol,
    select,
    speaks,
    spoken_protocol,
    supporting_runtimes,
)
from adapter.controller.verdicts import Chosen, NoRuntime
from adapter.domain.specs import FailureReason, Identity, ModelSpec, RuntimeSpec
from tests.unit.controller.selection.words import (
    CLUSTER,
    FIXTURE,
    a_model,
    a_runtime,
    auto,
    by_name,
    names,
    seen,
)

F = seen(*FIXTURE)
SKLEARN_V2 = ["mlserver-runtime", "sklearn-runtime", "test-runtime", "triton-runtime"]
MMS = ["cluster-mlserver-runtime-mms"]
MULTI_NODE = ["huggingface-multinode-runtime"]


def case(number: int | str, model: ModelSpec, *expected: str) -> object:
    return pytest.param(model, [*expected], id=f"row {number}")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        case(1, a_model("tensorflow"), "tf-runtime", "cluster-tf-runtime"),
        case(2, a_model("unknown")),
        case(3, a_model("pmml")),
        case(5, a_model("sklearn"), "sklearn-runtime"),
        case(6, a_model("xgboost", protocol="v2"), "cluster-xgboost-runtime"),
        case(7, a_model("xgboost", protocol="v1")),
        case(8, a_model("sklearn", protocol="v2"), *SKLEARN_V2),
        case(9, a_model("huggingface", protocol="v2", multi_node=True), *MULTI_NODE),
        case(31, a_model("lightgbm", protocol="v2"), "mlserver-runtime", "triton-runtime"),
        case(32, a_model("lightgbm", protocol="v1")),
        case(34, a_model("sklearn", "0"), "sklearn-runtime"),
        case(35, a_model("sklearn", "0", protocol="v2"), *SKLEARN_V2),
        case("36, 1", a_model("sklearn", "1", protocol="v2")),
        case("36, 0.0", a_model("sklearn", "0.0", protocol="v2")),
        case(37, a_model("Sklearn", protocol="v2")),
        case(38, a_model("triton", protocol="v2"), "triton-runtime"),
        case(39, a_model("triton")),
        case(40, a_model("tensorflow", "1", protocol="v2"), "tf-runtime", "cluster-tf-runtime"),
        case(41, a_model("tensorflow", "2")),
        case("42, sklearn", a_model("sklearn", protocol="grpc-v2")),
        case("42, tensorflow", a_model("tensorflow", protocol="grpc-v2")),
        case("42, triton", a_model("triton", protocol="grpc-v2")),
        case(43, a_model("huggingface", protocol="v2")),
        case("44, single", a_model("xgboost", "1", protocol="v2")),
    ],
)
def test_the_runtimes_that_support_a_model_the_best_first(model: ModelSpec, expected: list[str]) -> None:
    assert names(supporting_runtimes(model, F)) == expected
    verdict = select(model, F)
    if expected:
        assert isinstance(verdict, Chosen)
        assert (names(verdict.runtimes), verdict.type) == (expected, f"rt:{expected[0]}")
    else:
        assert isinstance(verdict, NoRuntime)
        assert verdict.reason is FailureReason.NO_SUPPORTING_RUNTIME
        assert verdict.message == "No runtime found to support specified framework/version"
    assert len(verdict.refusals) == len(FIXTURE) - len(expected), "each of the others, and why not"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        case(4, a_model("sklearn", protocol="v2"), *MMS),
        case(33, a_model("lightgbm", protocol="v2"), *MMS),
        case("44, multi-model", a_model("xgboost", "1", protocol="v2"), *MMS),
        case(45, a_model("xgboost", "0", protocol="v2")),
    ],
)
def test_the_runtimes_for_many_models(model: ModelSpec, expected: list[str]) -> None:
    assert names(supporting_runtimes(model, F, multi_model=True)) == expected


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [pytest.param(None, "v1", id="row 10"), pytest.param("v2", "v2", id="row 11")],
)
def test_the_protocol_that_is_asked_for(protocol: str | None, expected: str) -> None:
    assert asked_protocol(a_model("sklearn", protocol=protocol)) == expected


@pytest.mark.parametrize(
    ("listed", "protocol", "spoken"),
    [
        pytest.param("", "v1", True, id="row 12 and 13, v1"),
        pytest.param("", "v2", True, id="row 12 and 13, v2"),
        pytest.param("v2 grpc-v2", "grpc-v2", True, id="row 14"),
        pytest.param("v2 grpc-v2", "v1", False, id="row 15"),
        pytest.param("v2", "", True, id="none in particular"),
        pytest.param("v3", "v3", True, id="one that nobody knows"),
    ],
)
def test_a_runtime_speaks_what_it_lists(listed: str, protocol: str, *, spoken: bool) -> None:
    assert speaks(a_runtime("a", protocols=listed), protocol) is spoken


OWN = a_runtime("twice", auto("sklearn", "0"), protocols="v1")
CLUSTERS = a_runtime("twice", auto("sklearn", "0"), protocols="v1", namespace=CLUSTER)


@pytest.mark.parametrize(
    ("runtimes", "is_cluster_scoped"),
    [
        pytest.param([CLUSTERS, OWN], False, id="row 25"),
        pytest.param([CLUSTERS], True, id="row 26"),
    ],
)
def test_a_name_is_looked_up_in_the_namespace_first(
    runtimes: list[RuntimeSpec], *, is_cluster_scoped: bool
) -> None:
    verdict = select(a_model("sklearn", runtime="twice"), seen(*runtimes))
    assert isinstance(verdict, Chosen)
    assert [runtime.is_cluster_scoped for runtime in verdict.runtimes] == [is_cluster_scoped]


RECOGNIZED, DISABLED, SUPPORTING = (
    FailureReason.RUNTIME_NOT_RECOGNIZED,
    FailureReason.RUNTIME_DISABLED,
    FailureReason.NO_SUPPORTING_RUNTIME,
)


@pytest.mark.parametrize(
    ("model", "reason", "message"),
    [
        pytest.param(
            a_model("sklearn", runtime="nobody"),
            RECOGNIZED,
            "Waiting for runtime to become available",
            id="row 27 and 28",
        ),
        pytest.param(
            a_model("pmml", runtime="pmml-runtime"),
            DISABLED,
            "Specified runtime is disabled",
            id="row 29, 46",
        ),
        pytest.param(
            a_model("sklearn", runtime="tf-runtime"),
            SUPPORTING,
            "Specified runtime does not support specified framework/version",
            id="row 30",
        ),
        pytest.param(
            a_model("sklearn", protocol="v1", runtime="triton-runtime"),
            SUPPORTING,
            "Specified runtime does not support specified protocol version",
            id="row 48",
        ),
    ],
)
def test_a_runtime_that_is_named_and_cannot_serve(
    model: ModelSpec, reason: FailureReason, message: str
) -> None:
    verdict = select(model, F)
    assert isinstance(verdict, NoRuntime)
    assert (verdict.reason, verdict.message) == (reason, message)
    assert verdict.type == f"rt:{model.runtime}"
    assert len(verdict.refusals) == len(FIXTURE)


def test_a_disabled_runtime_of_the_namespace_hides_the_clusters() -> None:
    disabled = a_runtime("twice", auto("sklearn", "0"), flags="disabled")
    verdict = select(a_model("sklearn", runtime="twice"), seen(CLUSTERS, disabled))
    assert isinstance(verdict, NoRuntime)
    assert verdict.reason is DISABLED


@pytest.mark.parametrize(
    ("model", "protocol"),
    [
        pytest.param(a_model("sklearn", runtime="triton-runtime"), "v2", id="row 47"),
        pytest.param(a_model("sklearn", runtime="cluster-mlserver-runtime-mms"), "v2", id="row 49"),
        pytest.param(a_model("sklearn", runtime="sklearn-runtime"), "v1", id="the lowest"),
    ],
)
def test_a_runtime_that_is_named_is_asked_less(model: ModelSpec, protocol: str) -> None:
    verdict = select(model, F)
    assert isinstance(verdict, Chosen)
    assert names(verdict.runtimes) == [model.runtime]
    assert spoken_protocol(model, verdict.runtimes[0]) == protocol


EARLY = "2026-01-01T00:00:00Z"
LATE = "2026-01-02T00:00:00Z"
V2 = a_model("sklearn", protocol="v2")
V2_VERSION_1 = a_model("sklearn", "1", protocol="v2")


def two(a: RuntimeSpec, b: RuntimeSpec) -> tuple[RuntimeSpec, RuntimeSpec]:
    return a, b


@pytest.mark.parametrize(
    ("runtimes", "model", "expected"),
    [
        pytest.param(
            two(
                a_runtime("a", auto("sklearn")),
                a_runtime("b", auto("sklearn", None, 10), namespace=CLUSTER),
            ),
            V2,
            ["a", "b"],
            id="row 50",
        ),
        pytest.param(
            two(
                a_runtime("a", auto("sklearn"), created=LATE), a_runtime("b", auto("sklearn"), created=EARLY)
            ),
            V2,
            ["a", "b"],
            id="row 51",
        ),
        pytest.param(
            two(
                a_runtime("a", auto("sklearn"), protocols="v2"),
                a_runtime("b", auto("sklearn"), protocols="v1 v2"),
            ),
            V2,
            ["b", "a"],
            id="row 52",
        ),
        pytest.param(
            two(
                a_runtime("a", auto("sklearn", "0"), auto("sklearn", "1", 5)),
                a_runtime("b", auto("sklearn", "1", 1)),
            ),
            V2_VERSION_1,
            ["b", "a"],
            id="row 53",
        ),
        pytest.param(
            two(a_runtime("a", auto("sklearn")), a_runtime("b", by_name("sklearn", "1"))),
            V2_VERSION_1,
            [],
            id="row 54",
        ),
        pytest.param(
            two(a_runtime("a", auto("sklearn", "0"), by_name("sklearn", "1")), a_runtime("b")),
            V2_VERSION_1,
            [],
            id="row 55",
        ),
        pytest.param(
            two(a_runtime("b", auto("sklearn", None, 1)), a_runtime("a", auto("sklearn", None, 1))),
            V2,
            ["a", "b"],
            id="in the end the name decides",
        ),
        pytest.param(
            two(a_runtime("a", auto("sklearn")), a_runtime("b", auto("sklearn"), protocols="grpc-v2 v2")),
            V2,
            ["b", "a"],
            id="who lists no protocols is last",
        ),
    ],
)
def test_of_several_the_order_is_always_the_same(
    runtimes: tuple[RuntimeSpec, RuntimeSpec], model: ModelSpec, expected: list[str]
) -> None:
    for order in (runtimes, runtimes[::-1]):
        assert names(supporting_runtimes(model, seen(*order))) == expected


def test_row_55_a_name_makes_up_for_auto_select() -> None:
    runtime = a_runtime("a", auto("sklearn", "0"), by_name("sklearn", "1"))
    assert isinstance(select(a_model("sklearn", "1", runtime="a"), seen(runtime)), Chosen)


@pytest.mark.parametrize(
    ("model", "runtime", "because"),
    [
        pytest.param(
            a_model("sklearn"),
            a_runtime("a", auto("sklearn"), protocols="v2"),
            "does not list protocol v1 (which counts where the model names none) but v2",
            id="the default protocol",
        ),
        pytest.param(
            a_model("sklearn", multi_node=True),
            a_runtime("a", auto("sklearn")),
            "has no spec.workerSpec, and the model asks for several nodes",
            id="several nodes wanted",
        ),
        pytest.param(
            a_model("sklearn"),
            a_runtime("a", auto("sklearn"), flags="workerSpec"),
            "runs on several nodes (spec.workerSpec), which the model does not ask for",
            id="several nodes offered",
        ),
        pytest.param(
            a_model("sklearn"),
            a_runtime("a", auto("sklearn"), flags="multiModel"),
            "serves many models (spec.multiModel), and this model is to be served alone",
            id="mode",
        ),
        pytest.param(
            a_model("sklearn"),
            a_runtime("a", auto("sklearn"), flags="disabled"),
            "is disabled",
            id="disabled",
        ),
    ],
)
def test_each_runtime_is_told_what_stands_against_it(
    model: ModelSpec, runtime: RuntimeSpec, because: str
) -> None:
    (refusal,) = select(model, seen(runtime)).refusals
    assert refusal.because.startswith(because)


@pytest.mark.parametrize(
    ("runtime", "protocol"),
    [
        pytest.param(a_runtime("kserve-mlserver", protocols="v1 v2"), "v2", id="by name"),
        pytest.param(
            RuntimeSpec(
                identity=Identity(name="mine", annotations={"serving.kserve.io/server-type": "torchserve"}),
                protocols=("v2",),
            ),
            "v1",
            id="by annotation",
        ),
        pytest.param(a_runtime("mine", protocols="grpc-v2 grpc-v1"), "grpc-v1", id="the lowest"),
        pytest.param(a_runtime("mine"), "", id="nobody says"),
    ],
)
def test_without_a_word_of_the_model_the_runtime_decides_how_it_is_asked(
    runtime: RuntimeSpec, protocol: str
) -> None:
    assert spoken_protocol(a_model("sklearn"), runtime) == protocol
    assert spoken_protocol(a_model("sklearn", protocol="grpc-v2"), runtime) == "grpc-v2"
