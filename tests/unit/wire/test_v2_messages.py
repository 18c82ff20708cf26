import pytest

from adapter.stubs.inference.open_inference_pb2 import (
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
)
from adapter.wire.v2_messages import InputTensor, add_inputs, output_raw, output_values
from adapter.wire.v2_tensors import DATATYPES, BadTensor

INT8 = DATATYPES["INT8"]


def a_tensor(datatype: str = "INT8", raw: bytes | None = None) -> InputTensor:
    return InputTensor(name="x", datatype=DATATYPES[datatype], shape=(2,), values=[1, 2], raw=raw)


def a_response(
    *raws: bytes, shape: tuple[int, ...] = (2,), typed: tuple[int, ...] = ()
) -> ModelInferResponse:
    response = ModelInferResponse(raw_output_contents=raws)
    response.outputs.add(
        name="y", datatype="INT8", shape=shape, contents=InferTensorContents(int_contents=typed)
    )
    return response


def test_inputs_are_typed_while_they_can_be() -> None:
    request = ModelInferRequest()
    add_inputs(request, [a_tensor(), a_tensor()])
    assert [list(tensor.contents.int_contents) for tensor in request.inputs] == [[1, 2], [1, 2]]
    assert not request.raw_input_contents


@pytest.mark.parametrize(
    "other",
    [a_tensor(raw=b"\x03\x04"), a_tensor("FP16")],
    ids=["raw bytes", "a datatype without a typed form"],
)
def test_all_inputs_are_raw_once_one_must_be(other: InputTensor) -> None:
    request = ModelInferRequest()
    add_inputs(request, [a_tensor(), other])
    assert [tensor.HasField("contents") for tensor in request.inputs] == [False, False]
    assert request.raw_input_contents[0] == b"\x01\x02"
    assert len(request.raw_input_contents) == 2


@pytest.mark.parametrize(
    "response", [a_response(b"\x01\x02"), a_response(typed=(1, 2))], ids=["raw", "typed"]
)
def test_outputs_are_read_in_either_form(response: ModelInferResponse) -> None:
    assert list(output_values(response, 0, INT8)) == [1, 2]
    assert output_raw(response, 0, INT8) == b"\x01\x02"


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(a_response(b"\x01"), id="too short"),
        pytest.param(a_response(b"\x01\x02\x03"), id="too long"),
        pytest.param(a_response(b"\x01\x02", b""), id="more contents than outputs"),
        pytest.param(a_response(typed=(1,)), id="too few elements"),
        pytest.param(a_response(b"\x01\x02", shape=(-2,)), id="a negative length"),
    ],
)
def test_outputs_that_do_not_go_with_their_shape_are_refused(response: ModelInferResponse) -> None:
    with pytest.raises(BadTensor):
        output_values(response, 0, INT8)
    with pytest.raises(BadTensor):
        output_raw(response, 0, INT8)
