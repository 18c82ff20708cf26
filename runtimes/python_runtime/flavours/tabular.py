"""What the flavours for tables of rows have in common: their signature.

The rows come as one input, or as one input for each named column. A name that is declared in the settings
counts; where none is, the input is called `input` and may have any name, since clients of MLServer send what
they like. The library's number of columns goes before a declared shape.
"""

from collections.abc import Sequence

import numpy as np

from runtimes.python_runtime.errors import BadRequest
from runtimes.python_runtime.signature import Array, Arrays, Matching, Signature, TensorSpec, interned

INPUT_NAME = "input"
PREDICT = "predict"
"""The usual output, by MLServer's name."""


def table_signature(
    declared: tuple[TensorSpec, ...],
    declared_outputs: tuple[TensorSpec, ...],
    *,
    features: int | None,
    outputs: Sequence[TensorSpec],
    columns: Sequence[str] = (),
) -> Signature:
    """The signature of a model that takes rows of so many features.

    None: it takes what only it knows. Among scikit-learn's own these are the ones for lists of texts.
    """
    datatype = "BYTES" if features is None else "FP64"
    if len(declared) > 1:
        columns = columns or [spec.name for spec in declared]
        declared = ()
    rows = declared[0] if declared else TensorSpec(name=INPUT_NAME, datatype=datatype, shape=(-1,))
    shape = (-1, *rows.shape[1:]) if features is None else (-1, features)
    rows = TensorSpec(name=rows.name, datatype=rows.datatype, shape=shape)
    return interned(
        Signature(
            inputs=(rows,),
            outputs=renamed(outputs, declared_outputs),
            matching=Matching.ANYTHING if features is None else Matching.TABLE,
            named=bool(declared),
            columns=tuple(columns),
        )
    )


def renamed(outputs: Sequence[TensorSpec], declared: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    """The outputs, where a lone declared name that is none of theirs is another name for the first."""
    known = {spec.name for spec in outputs}
    if len(declared) != 1 or declared[0].name in known:
        return tuple(outputs)
    first = outputs[0]
    return (TensorSpec(name=declared[0].name, datatype=first.datatype, shape=first.shape), *outputs[1:])


def table(signature: Signature, inputs: Arrays) -> Array:
    """The rows of a request that `check_inputs` has passed, as one array. Raises `BadRequest`."""
    if len(inputs) == 1:
        return next(iter(inputs.values()))
    if not signature.columns:
        raise BadRequest(f"the model takes one input, and {len(inputs)} came: {list(inputs)}")
    return np.column_stack([inputs[name].reshape(-1, 1) for name in signature.columns])


def numbers(signature: Signature, inputs: Arrays) -> Array:
    """As `table`, for libraries that take numbers only."""
    rows = table(signature, inputs)
    if rows.dtype.kind == "O":
        raise BadRequest("the model takes numbers, and BYTES came")
    return rows
