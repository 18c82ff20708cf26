from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from adapter.stubs.inference.open_inference_pb2 import ModelInferRequest, ModelInferResponse
from runtimes.python_runtime.errors import BadRequest, ModelFailed
from runtimes.python_runtime.signature import NUMPY_TYPES
from runtimes.python_runtime.tensors import add_outputs, as_text, inputs_of


def a_request(
    datatype: str, shape: list[int], raw: bytes | None = None, **contents: Any
) -> ModelInferRequest:
    request = ModelInferRequest(raw_input_contents=[] if raw is None else [raw])
    tensor = request.inputs.add(name="x", datatype=datatype, shape=shape)
    for field, values in contents.items():
        getattr(tensor.contents, field).extend(values)
    return request


def returned(response: ModelInferResponse) -> ModelInferRequest:
    """The answer as the next request."""
    request = ModelInferRequest(raw_input_contents=response.raw_output_contents)
    for output in response.outputs:
        tensor = request.inputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
        if output.HasField("contents"):
            tensor.contents.CopyFrom(output.contents)
    return request


NUMERIC = [dtype for name, dtype in NUMPY_TYPES.items() if name not in ("BYTES", "FP16")]


@given(
    array=st.sampled_from(NUMERIC).flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0))),
    raw=st.booleans(),
)
def test_what_goes_out_comes_in_again(array: np.ndarray, raw: bool) -> None:
    response = ModelInferResponse()
    add_outputs(response, {"x": array}, raw=raw)
    again = inputs_of(returned(response))["x"]
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(again, array)


@given(elements=st.lists(st.binary()), raw=st.booleans())
def test_bytes_go_out_and_come_in_again(elements: list[bytes], raw: bool) -> None:
    array = np.empty(len(elements), object)
    array[:] = elements
    response = ModelInferResponse()
    add_outputs(response, {"x": array}, raw=raw)
    assert inputs_of(returned(response))["x"].tolist() == elements


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(a_request("BF16", [2], b"\x80\x3f\x00\xc0"), [1.0, -2.0], id="BF16 widens to FP32"),
        pytest.param(
            a_request("BOOL", [3], b"\x00\x01\x07"), [False, True, True], id="any byte but 0 is true"
        ),
        pytest.param(a_request("INT8", [2], int_contents=[-128, 127]), [-128, 127], id="narrow integers"),
        pytest.param(a_request("BYTES", [1], b"\x02\x00\x00\x00ab"), [b"ab"], id="raw BYTES"),
        pytest.param(a_request("FP64", [0]), [], id="no elements"),
    ],
)
def test_elements_are_read(request_: ModelInferRequest, expected: list[object]) -> None:
    assert inputs_of(request_)["x"].tolist() == expected


def test_arrays_are_writable_and_aligned() -> None:
    array = inputs_of(a_request("FP64", [1], b"\0" * 8))["x"]
    assert array.flags.writeable
    assert array.flags.aligned


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        pytest.param(a_request("FP99", [1], b""), "no datatype 'FP99'", id="datatype"),
        pytest.param(a_request("FP32", [2], b"\0" * 4), "4 bytes, and FP32 of shape", id="too few bytes"),
        pytest.param(a_request("FP32", [-1], b"\0" * 4), "cannot be -1", id="negative length"),
        pytest.param(
            a_request("FP32", [2], fp32_contents=[1.0]), "1 FP32 elements in fp32_contents", id="count"
        ),
        pytest.param(a_request("INT8", [1], int_contents=[128]), "does not fit INT8", id="too large"),
        pytest.param(a_request("FP16", [1]), "raw_input_contents only", id="typed FP16"),
        pytest.param(a_request("BYTES", [2], b"\x01\x00\x00\x00a"), "1 BYTES elements", id="too few texts"),
        pytest.param(
            a_request("BYTES", [1], b"\x09\x00\x00\x00a"), "ends 8 bytes after", id="a text cut off"
        ),
        pytest.param(
            a_request("FP32", [1], b"\0" * 4, fp32_contents=[1.0]), "it has contents, though", id="both ways"
        ),
    ],
)
def test_what_does_not_go_together_is_refused(request_: ModelInferRequest, text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        inputs_of(request_)


def test_each_input_has_its_raw_entry() -> None:
    request = a_request("FP32", [0], b"")
    request.inputs.add(name="y", datatype="FP32", shape=[0])
    with pytest.raises(BadRequest, match="2 inputs, and 1 entries"):
        inputs_of(request)


def test_two_inputs_of_one_name_are_refused() -> None:
    request = a_request("FP32", [0])
    request.inputs.add(name="x", datatype="FP32", shape=[0])
    with pytest.raises(BadRequest, match="two inputs 'x'"):
        inputs_of(request)


class Sparse:
    """As scipy's matrices are."""

    def toarray(self) -> np.ndarray:
        return np.array([[1.0, 0.0]])


@pytest.mark.parametrize(
    ("value", "datatype", "elements"),
    [
        pytest.param(np.array(["ä", "b"]), "BYTES", ["ä".encode(), b"b"], id="text is encoded"),
        pytest.param(np.array([1, 2], object), "INT64", [1, 2], id="numbers as objects"),
        pytest.param(np.array([1, "a"], object), "BYTES", [b"1", b"a"], id="a mixture"),
        pytest.param([[0.5]], "FP64", [0.5], id="a list"),
        pytest.param(Sparse(), "FP64", [1.0, 0.0], id="a sparse matrix"),
        pytest.param(np.array([1.5], "longdouble"), "FP64", [1.5], id="a long double"),
        pytest.param(np.array([1.5], ">f4"), "FP32", [1.5], id="big-endian"),
    ],
)
def test_what_models_give_is_sent(value: object, datatype: str, elements: list[object]) -> None:
    response = ModelInferResponse()
    add_outputs(response, {"x": value}, raw=True)
    assert response.outputs[0].datatype == datatype
    assert inputs_of(returned(response))["x"].ravel().tolist() == elements


def test_fp16_makes_the_whole_answer_raw() -> None:
    response = ModelInferResponse()
    add_outputs(response, {"x": np.zeros(1, "f2"), "y": np.zeros(1)}, raw=False)
    assert [len(raw) for raw in response.raw_output_contents] == [2, 8]
    assert not any(output.HasField("contents") for output in response.outputs)


def test_what_the_protocol_cannot_carry_is_the_models_fault() -> None:
    with pytest.raises(ModelFailed, match="complex128"):
        add_outputs(ModelInferResponse(), {"x": np.zeros(1, complex)}, raw=True)


def test_text_must_be_utf8() -> None:
    array = np.array([b"\xff"], object)
    with pytest.raises(BadRequest, match="not UTF-8"):
        as_text("x", array)
    assert as_text("x", np.array([["ä".encode()]], object)).tolist() == [["ä"]]
