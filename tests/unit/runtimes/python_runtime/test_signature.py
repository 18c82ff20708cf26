import numpy as np
import pytest

from runtimes.python_runtime.errors import BadRequest
from runtimes.python_runtime.signature import Matching, Signature, TensorSpec, datatype_of, interned


def spec(name: str, datatype: str = "FP64", *shape: int) -> TensorSpec:
    return TensorSpec(name=name, datatype=datatype, shape=shape)


TABLE = Signature(
    inputs=(spec("input", "FP64", -1, 4),), matching=Matching.TABLE, named=False, columns=("a", "b")
)
BY_NAME = Signature(inputs=(spec("x", "FP32", -1, 2), spec("y", "INT64")), matching=Matching.BY_NAME)


@pytest.mark.parametrize(
    ("signature", "inputs"),
    [
        pytest.param(TABLE, {"anything": np.zeros((3, 4))}, id="a lone input under any name"),
        pytest.param(TABLE, {"input": np.zeros((0, 4), "i1")}, id="no rows, another datatype"),
        pytest.param(TABLE, {"b": np.zeros(3), "a": np.zeros((3, 1))}, id="columns by name, in any order"),
        pytest.param(BY_NAME, {"y": np.int64(1), "x": np.zeros((1, 2), "f4")}, id="by name, in any order"),
        pytest.param(Signature(), {"whatever": np.zeros((2, 2, 2))}, id="a model that says nothing"),
    ],
)
def test_inputs_that_fit_pass(signature: Signature, inputs: dict[str, np.ndarray]) -> None:
    signature.check_inputs(inputs)


@pytest.mark.parametrize(
    ("signature", "inputs", "text"),
    [
        pytest.param(TABLE, {"x": np.zeros((3, 5))}, r"\[-1, 4\] came with the shape \[3, 5\]", id="columns"),
        pytest.param(TABLE, {"x": np.zeros(4)}, "1 dimensions instead of 2", id="a row that is no table"),
        pytest.param(TABLE, {"x": np.zeros((3, 4)), "z": np.zeros(3)}, "expects one input", id="two inputs"),
        pytest.param(TABLE, {"a": np.zeros(3), "b": np.zeros(2)}, "numbers of rows", id="uneven columns"),
        pytest.param(TABLE, {"a": np.zeros((3, 2)), "b": np.zeros(3)}, "column 'a'", id="a wide column"),
        pytest.param(BY_NAME, {"z": np.zeros(1)}, "no input 'z'.*expects 'x' FP32", id="unknown name"),
        pytest.param(BY_NAME, {"x": np.zeros((1, 2), "f4")}, "'y' INT64.*missing", id="one missing"),
        pytest.param(
            BY_NAME, {"x": np.zeros((1, 2)), "y": np.int64(1)}, "'x' FP32.*came as FP64", id="datatype"
        ),
        pytest.param(TABLE, {}, "0 came", id="nothing"),
        pytest.param(Signature(), {}, "no inputs", id="nothing, to a model that says nothing"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_came(
    signature: Signature, inputs: dict[str, np.ndarray], text: str
) -> None:
    with pytest.raises(BadRequest, match=text):
        signature.check_inputs(inputs)


def test_a_declared_name_counts() -> None:
    declared = Signature(inputs=(spec("flowers", "FP64", -1, 4),), matching=Matching.TABLE)
    with pytest.raises(BadRequest, match="no input 'input'"):
        declared.check_inputs({"input": np.zeros((1, 4))})


def test_an_output_that_there_is_not_is_refused_with_those_there_are() -> None:
    signature = Signature(outputs=(spec("predict", "INT64", -1),))
    signature.check_outputs(("predict",))
    with pytest.raises(BadRequest, match=r"no output 'proba'; the model has 'predict' INT64 \[-1\]"):
        signature.check_outputs(("proba",))


@pytest.mark.parametrize(
    ("dtype", "datatype"),
    [
        pytest.param(">f8", "FP64", id="big-endian"),
        pytest.param("U5", "BYTES", id="text"),
        pytest.param("S5", "BYTES", id="bytes"),
        pytest.param("?", "BOOL", id="bool"),
        pytest.param("i1", "INT8", id="one byte"),
        pytest.param("c16", None, id="complex"),
        pytest.param("M8[s]", None, id="a date"),
    ],
)
def test_numpy_types_have_the_protocols_names(dtype: str, datatype: str | None) -> None:
    assert datatype_of(np.dtype(dtype)) == datatype


def test_equal_signatures_are_one_object() -> None:
    assert interned(Signature(inputs=(spec("x"),))) is interned(Signature(inputs=(spec("x"),)))
