import numpy as np
import pytest

from runtimes.python_runtime.errors import BadRequest
from runtimes.python_runtime.flavours.tabular import numbers, table, table_signature
from runtimes.python_runtime.signature import Matching, TensorSpec

OUTPUTS = [TensorSpec(name="predict", datatype="FP64", shape=(-1,))]


def declared(*names: str) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name=name, datatype="FP32", shape=(-1, 1)) for name in names)


def test_an_undeclared_input_may_have_any_name() -> None:
    signature = table_signature((), (), features=4, outputs=OUTPUTS)
    assert not signature.named
    assert signature.inputs[0].shape == (-1, 4)


def test_the_librarys_number_of_columns_goes_before_a_declared_one() -> None:
    signature = table_signature(declared("x"), (), features=4, outputs=OUTPUTS)
    assert (signature.named, str(signature.inputs[0])) == (True, "'x' FP32 [-1, 4]")


def test_several_declared_inputs_are_columns() -> None:
    signature = table_signature(declared("a", "b"), (), features=2, outputs=OUTPUTS)
    inputs = {"b": np.array([3, 4]), "a": np.array([1, 2])}
    signature.check_inputs(inputs)
    assert table(signature, inputs).tolist() == [[1, 3], [2, 4]]


def test_a_lone_declared_output_is_another_name_for_the_first() -> None:
    signature = table_signature((), declared("label"), features=2, outputs=OUTPUTS)
    assert [spec.name for spec in signature.outputs] == ["label"]


def test_without_a_number_of_columns_anything_is_handed_over() -> None:
    signature = table_signature((), (), features=None, outputs=OUTPUTS)
    assert signature.matching is Matching.ANYTHING
    with pytest.raises(BadRequest, match="takes one input, and 2 came"):
        table(signature, {"a": np.zeros(1), "b": np.zeros(1)})


def test_where_numbers_are_wanted_text_is_refused() -> None:
    signature = table_signature((), (), features=1, outputs=OUTPUTS)
    with pytest.raises(BadRequest, match="takes numbers"):
        numbers(signature, {"x": np.array([[b"1"]], object)})
