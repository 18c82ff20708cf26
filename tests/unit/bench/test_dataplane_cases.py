import json
import struct

import pytest

from adapter.stubs.inference import open_inference_pb2 as v2
from bench.dataplane.cases import CASES, MODEL, Case, grpc_message, rest_body

GRPC_CASES = [pytest.param(case, id=name) for name, case in CASES.items() if not case.rest]


@pytest.mark.parametrize("case", GRPC_CASES)
def test_a_message_has_exactly_the_size_of_its_case(case: Case) -> None:
    framed = grpc_message(case)
    assert struct.unpack(">BI", framed[:5]) == (0, case.message_bytes)
    assert len(framed) == 5 + case.message_bytes


@pytest.mark.parametrize("size", [*range(200, 420), 16_500, 65_535])
def test_every_size_can_be_made(size: int) -> None:
    assert len(grpc_message(Case(name="", about="", message_bytes=size))) == 5 + size


@pytest.mark.parametrize("case", GRPC_CASES)
def test_the_model_is_named_in_the_header_or_in_the_message(case: Case) -> None:
    in_message = v2.ModelInferRequest.FromString(grpc_message(case)[5:]).model_name
    assert (in_message == MODEL) is not case.name_in_header
    assert case.headers == ([f"mm-model-id: {MODEL}"] if case.name_in_header else [])


def test_the_contents_are_as_long_as_the_shape_says() -> None:
    request = v2.ModelInferRequest.FromString(grpc_message(CASES["64k"])[5:])
    assert request.inputs[0].shape == [1, len(request.raw_input_contents[0])]


def test_rest_asks_for_64_floats() -> None:
    tensor = json.loads(rest_body())["inputs"][0]
    assert (tensor["shape"], tensor["datatype"], len(tensor["data"])) == ([1, 64], "FP32", 64)
