import json
import math
import struct
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from adapter.stubs.inference.open_inference_pb2 import (
    ModelInferRequest,
    ModelInferResponse,
)
from adapter.wire.json_fields import BadTensorJson, parse_object
from adapter.wire.v2_json import ALL_BASE64, NO_BINARY, infer_response, request_of
from adapter.wire.v2_plain import plain_request, plain_response
from adapter.wire.v2_tensors import DATATYPES, contents_of

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.just("n" * 300)
LENGTHS = st.integers(-1, 3) | st.just(2**40)
SHAPES = st.lists(LENGTHS, max_size=3) | st.just([2])
ODD: st.SearchStrategy[Any] = st.none() | st.booleans() | st.floats(-2, 2) | st.just("x") | st.just({})
NUMBERS = (
    st.integers(0, 200) | st.floats(width=32, allow_nan=False) | st.sampled_from([1e39, 2**70, -1, True])
)
DATA = st.lists(NUMBERS, max_size=6) | st.lists(st.lists(NUMBERS, min_size=1, max_size=3), max_size=3)
KINDS = st.sampled_from([*DATATYPES, "FP8"])


@st.composite
def some_tensors(draw: st.DrawFn) -> dict[str, Any]:
    """Right ones for the most part, with one thing wrong now and then."""
    datatype = draw(KINDS)
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    elements = {"BOOL": st.booleans(), "BYTES": st.just("x")}.get(datatype, st.integers(0, 200) | NUMBERS)
    data = draw(st.lists(elements, min_size=math.prod(shape), max_size=math.prod(shape)) | DATA)
    tensor = {"name": draw(NAMES), "shape": shape, "datatype": datatype, "data": data}
    changes = {
        "name": ODD,
        "shape": SHAPES | st.lists(ODD, max_size=2) | ODD,
        "data": DATA | ODD,
        "more": ODD,
    }
    if draw(st.integers(0, 3)) == 0:
        changed = draw(st.sampled_from([*changes]))
        tensor[changed] = draw(changes[changed])
    return tensor


BODIES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"inputs": st.lists(some_tensors(), max_size=3) | ODD},
    optional={"id": NAMES | ODD, "parameters": st.just({}), "outputs": st.just([])},
)


@given(BODIES)
def test_both_ways_to_a_request_agree(body: dict[str, Any]) -> None:
    fields = parse_object(json.dumps(body).encode())
    encoded = plain_request(fields, model_name="m", model_version="2")
    if encoded is None:
        return
    wanted = request_of(fields, model_name="m", model_version="2")
    assert ModelInferRequest.FromString(encoded) == wanted


@pytest.mark.parametrize("name", [name for name in DATATYPES if name not in {"BYTES", "FP16", "BF16"}])
@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
def test_tensors_of_numbers_are_plain(name: str, nested: bool) -> None:
    element = name == "BOOL" or 1
    data = [[element, element]] if nested else [element, element]
    tensor = {"name": "x", "shape": [1, 2], "datatype": name, "data": data}
    encoded = plain_request({"inputs": [tensor, tensor]}, model_name="m", model_version="")
    assert encoded is not None
    assert ModelInferRequest.FromString(encoded) == request_of({"inputs": [tensor, tensor]}, model_name="m")


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"shape": [True, 2]}, id="true is no length"),
        pytest.param({"shape": [1.0, 2]}, id="nor is 1.0"),
        pytest.param({"data": [1, True]}, id="true is no number"),
        pytest.param({"data": [1]}, id="too few"),
        pytest.param({"data": [1, 1e39]}, id="too large"),
    ],
)
def test_what_is_wrong_is_not_plain_though_the_like_came_before(wrong: dict[str, Any]) -> None:
    tensor = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}
    assert plain_request({"inputs": [tensor]}, model_name="m", model_version="")
    fields: dict[str, object] = {"inputs": [tensor | wrong]}
    assert plain_request(fields, model_name="m", model_version="") is None
    with pytest.raises(BadTensorJson):
        request_of(fields, model_name="m")


def a_response(*, typed: bool, **fields: Any) -> ModelInferResponse:
    response = ModelInferResponse(model_name="m", **fields)
    for name, values in (("FP32", (0.1, math.nan)), ("FP64", (0.1, 1e300))):
        output = response.outputs.add(name=f"y {name}", datatype=name, shape=[1, 2])
        if typed:
            output.contents.CopyFrom(contents_of(DATATYPES[name], values))
        else:
            response.raw_output_contents.append(struct.pack("<2f" if name == "FP32" else "<2d", *values))
    return response


def by_the_library(response: ModelInferResponse) -> bytes | None:
    try:
        return infer_response(response, binary=NO_BINARY, text=ALL_BASE64)[0]
    except BadTensorJson:
        return None


@pytest.mark.parametrize("fields", [{}, {"model_version": "2", "id": 'ä"'}], ids=["bare", "with all"])
@pytest.mark.parametrize("typed", [False, True], ids=["raw", "typed"])
def test_numbers_are_answered_plainly(typed: bool, fields: dict[str, str]) -> None:
    response = a_response(typed=typed, **fields)
    body = plain_response(response.SerializeToString())
    assert body is not None
    assert body == by_the_library(response)


@st.composite
def some_responses(draw: st.DrawFn) -> ModelInferResponse:
    response = ModelInferResponse(model_name=draw(NAMES), model_version=draw(NAMES), id=draw(NAMES))
    for _ in range(draw(st.integers(0, 3))):
        shape = draw(st.lists(st.integers(-1, 3), max_size=3))
        output = response.outputs.add(name=draw(NAMES), datatype=draw(KINDS), shape=shape)
        count = max(math.prod(shape), 0)
        if draw(st.booleans()):
            size = (DATATYPES.get(output.datatype) or DATATYPES["BYTES"]).size_bytes or 1
            response.raw_output_contents.append(draw(st.binary(min_size=count * size, max_size=count * size)))
        else:
            floats = draw(st.lists(st.floats(width=32), min_size=count, max_size=count))
            field = draw(st.sampled_from(["fp32_contents", "fp64_contents"]))
            getattr(output.contents, field).extend(floats)
        if draw(st.integers(0, 5)) == 0:
            output.parameters["k"].int64_param = 1
    if draw(st.integers(0, 5)) == 0:
        response.parameters["k"].bool_param = True
    return response


@given(some_responses())
def test_both_ways_to_a_body_agree(response: ModelInferResponse) -> None:
    body = plain_response(response.SerializeToString())
    if body is not None:
        assert body == by_the_library(response)


@given(some_responses(), st.data())
def test_both_ways_agree_about_what_is_damaged(response: ModelInferResponse, data: st.DataObject) -> None:
    message = bytearray(response.SerializeToString() or b"\0")
    at = data.draw(st.integers(0, len(message) - 1))
    message[at] = data.draw(st.integers(0, 255))
    body = plain_response(bytes(message))
    if body is None:
        return
    try:
        read = ModelInferResponse.FromString(bytes(message))
    except DecodeError:
        read = None
    assert read is not None
    assert body == by_the_library(read)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda r: r.parameters["k"].SetInParent(), id="parameters"),
        pytest.param(lambda r: r.outputs[0].parameters["k"].SetInParent(), id="of an output"),
        pytest.param(lambda r: r.outputs[0].shape.append(2), id="another shape"),
        pytest.param(lambda r: r.raw_output_contents.pop(), id="one raw tensor too few"),
        pytest.param(
            lambda r: r.outputs.add(name="z", datatype="BYTES", shape=[0]), id="one output too many"
        ),
        pytest.param(lambda r: r.outputs[0].contents.SetInParent(), id="raw and typed"),
    ],
)
def test_all_else_is_left_to_the_library(spoil: Any) -> None:
    response = a_response(typed=False)
    spoil(response)
    assert plain_response(response.SerializeToString()) is None
