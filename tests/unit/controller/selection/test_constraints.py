import json
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.controller.selection.constraints import config_entries, required_labels
from adapter.controller.selection.labels import model_type, runtime_labels
from adapter.controller.selection.modelmesh import select
from adapter.controller.verdicts import Chosen
from adapter.domain.specs import RuntimeSpec
from adapter.mesh.constraints import TypeConstraints
from adapter.wire.dataplane import DataplaneConfig
from tests.unit.controller.selection.words import a_model, a_runtime, auto, by_name

TF_SERVING = a_runtime(
    "tf-serving-runtime",
    auto("tensorflow", "1.10"),
    by_name("tensorflow", "2"),
    protocols="v1 v2",
    flags="multiModel",
)
PREFERRED = a_runtime("preferred", auto("onnx", "1", 2), protocols="grpc-v2", flags="multiModel")
EQUAL = a_runtime("equal", auto("onnx", None, 2), flags="multiModel")
SECOND = a_runtime("second", auto("onnx", "1", 1), protocols="grpc-v1", flags="multiModel")
THIRD = a_runtime("third", auto("onnx", "2"), protocols="grpc-v2 grpc-v1", flags="multiModel")
RIVALS = [PREFERRED, EQUAL, SECOND, THIRD]


def required(*runtimes: RuntimeSpec) -> dict[str, tuple[str, ...]]:
    return required_labels(runtimes, rest_enabled=False)


def test_types_are_as_modelmesh_has_them_to_the_byte() -> None:
    told = config_entries([TF_SERVING], rest_enabled=True)["type_constraints"]
    assert told.decode() == (
        '{"_default":{"required":["_no_runtime"]},'
        '"mt:tensorflow":{"required":["mt:tensorflow"]},'
        '"mt:tensorflow:1.10":{"required":["mt:tensorflow:1.10"]},'
        '"mt:tensorflow:1.10|pv:v1":{"required":["mt:tensorflow:1.10","pv:v1"]},'
        '"mt:tensorflow:1.10|pv:v2":{"required":["mt:tensorflow:1.10","pv:v2"]},'
        '"mt:tensorflow|pv:v1":{"required":["mt:tensorflow","pv:v1"]},'
        '"mt:tensorflow|pv:v2":{"required":["mt:tensorflow","pv:v2"]},'
        '"rt:tf-serving-runtime":{"required":["rt:tf-serving-runtime"]}}'
    )


def test_requests_name_their_model_as_modelmesh_has_it() -> None:
    told = config_entries([], rest_enabled=True)["dataplane_api_config"]
    config = DataplaneConfig.parse(told.decode())
    assert config.allow_other_methods
    assert len(config.methods) == 4
    paths = {name: each["idExtractionPath"] for name, each in json.loads(told)["rpcConfigs"].items()}
    assert paths["tensorflow.serving.PredictionService/Predict"] == [1, 1]


def test_the_order_of_the_runtimes_does_not_matter() -> None:
    told = {config_entries(each, rest_enabled=True)["type_constraints"] for each in permutations(RIVALS)}
    assert len(told) == 1


def test_only_the_highest_priority_for_a_type_is_used() -> None:
    types = required(*RIVALS)
    assert types["mt:onnx"] == ("mt:onnx", "mp:2:onnx")
    assert types["mt:onnx:1"] == ("mt:onnx:1", "mp:2:onnx")
    assert types["mt:onnx|pv:grpc-v1"] == ("mt:onnx", "pv:grpc-v1", "mp:1:onnx")
    assert types["mt:onnx:2"] == ("mt:onnx:2",)
    assert types["rt:third"] == ("rt:third",)


def test_without_priorities_nothing_is_added() -> None:
    assert required(THIRD)["mt:onnx:2|pv:grpc-v2"] == ("mt:onnx:2", "pv:grpc-v2")


def test_a_disabled_runtime_asks_for_nothing() -> None:
    disabled = a_runtime("off", auto("onnx", "1", 9), flags="multiModel disabled")
    assert required(disabled, THIRD) == required(THIRD)


def test_a_runtime_for_single_models_is_reached_by_name_only() -> None:
    assert [*required(a_runtime("alone", auto("onnx")))] == ["_default", "rt:alone"]


formats = st.builds(
    auto, st.sampled_from("ab"), st.sampled_from([None, "1", "2"]), st.sampled_from([None, 1, 2])
)
runtimes = st.lists(
    st.builds(
        lambda entries, protocols: (entries, protocols),
        st.lists(formats, max_size=3),
        st.sampled_from(["", "v1", "v2 grpc-v2", "grpc-v2"]),
    ),
    max_size=4,
).map(
    lambda several: [
        a_runtime(f"r{index}", *entries, protocols=protocols, flags="multiModel")
        for index, (entries, protocols) in enumerate(several)
    ]
)


@given(
    runtimes,
    st.sampled_from("ab"),
    st.sampled_from([None, "1"]),
    st.sampled_from([None, "v1", "v2", "grpc-v2"]),
    st.booleans(),
)
def test_the_mesh_places_a_model_where_the_controller_says(
    several: list[RuntimeSpec], name: str, version: str | None, protocol: str | None, rest: bool
) -> None:
    model = a_model(name, version, protocol=protocol)
    told = config_entries(several, rest_enabled=rest)["type_constraints"]
    constraints = TypeConstraints.parse(told.decode())
    may = [
        runtime.name
        for runtime in several
        if not constraints.missing(model_type(model), runtime_labels(runtime, rest_enabled=rest))
    ]
    verdict = select(model, several, rest_enabled=rest)
    chosen = verdict.runtimes if isinstance(verdict, Chosen) else ()
    assert may == [runtime.name for runtime in chosen]


@pytest.mark.parametrize("runtime", RIVALS, ids=lambda runtime: runtime.name)
def test_labels_do_not_depend_on_other_runtimes(runtime: RuntimeSpec) -> None:
    assert "rt:" + runtime.name in runtime_labels(runtime, rest_enabled=True)
    assert not any("second" in label for label in runtime_labels(PREFERRED, rest_enabled=True))
