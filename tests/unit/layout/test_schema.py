import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.errors import ModelCorrupt
from adapter.layout.schema import ModelSchema, TensorSchema, parse_schema


def a_tensor(**changes: object) -> dict[str, object]:
    return {"name": "x", "datatype": "FP32", "shape": [-1, 4], **changes}


def test_tensors_are_read_and_unknown_fields_passed_over() -> None:
    text = json.dumps({"inputs": [a_tensor(note="?")], "outputs": [], "more": 1}).encode()
    x = TensorSchema(name="x", datatype="FP32", shape=(-1, 4))
    assert parse_schema(text) == ModelSchema(inputs=(x,), outputs=())
    assert x.as_json() == a_tensor()


@pytest.mark.parametrize("text", ["{}", '{"inputs": null}'])
def test_either_list_may_be_absent(text: str) -> None:
    assert parse_schema(text.encode()) == ModelSchema()


@pytest.mark.parametrize("datatype", ["BOOL", "UINT8", "INT64", "FP16", "BF16", "BYTES", "STRING"])
def test_the_datatypes_of_the_protocol_are_known(datatype: str) -> None:
    text = json.dumps({"outputs": [a_tensor(datatype=datatype)]}).encode()
    assert parse_schema(text).outputs == (TensorSchema(name="x", datatype=datatype, shape=(-1, 4)),)


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        pytest.param([], "the file must be an object", id="a list"),
        pytest.param({"inputs": {}}, "inputs must be a list", id="inputs are an object"),
        pytest.param({"outputs": ["x"]}, r"outputs\[0\] must be an object", id="a tensor is a string"),
        pytest.param({"inputs": [a_tensor(name="")]}, r"inputs\[0\].name", id="no name"),
        pytest.param({"inputs": [a_tensor(), a_tensor(datatype="F32")]}, r"\[1\].datatype", id="no datatype"),
        pytest.param({"inputs": [a_tensor(datatype=["FP32"])]}, r"\[0\].datatype", id="datatype is a list"),
        pytest.param({"inputs": [a_tensor(shape="4")]}, r"inputs\[0\].shape", id="shape is a string"),
        pytest.param({"inputs": [a_tensor(shape=[-2])]}, r"inputs\[0\].shape", id="negative dimension"),
        pytest.param({"inputs": [a_tensor(shape=[True])]}, r"inputs\[0\].shape", id="dimension is true"),
    ],
)
def test_what_is_wrong_is_named(document: object, complaint: str) -> None:
    with pytest.raises(ModelCorrupt, match=complaint):
        parse_schema(json.dumps(document).encode())


@given(st.binary() | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode()))
def test_whatever_the_file_holds_it_is_read_or_refused(text: bytes) -> None:
    with contextlib.suppress(ModelCorrupt):
        assert isinstance(parse_schema(text), ModelSchema)
