"""What the flavours for tables of rows have in common: their signature.

The rows come as one input, or as one input for each named column. A name that is declared in the settings
counts; where none is, the input is called `input` and may have any name, since clients of MLServer send what
they like. The library's number of columns goes before a declared shape.
"""

from collections.abc import Sequence

from runtimes.python_runtime.settings import ModelSettings
from runtimes.python_runtime.signature import Matching, Signature, TensorSpec, interned

INPUT_NAME = "input"
PREDICT = "predict"
"""The usual output, by MLServer's name."""


def table_signature(
    settings: ModelSettings,
    *,
    features: int | None,
    outputs: Sequence[TensorSpec],
    columns: Sequence[str] = (),
    datatype: str = "FP64",
) -> Signature:
    """The signature of a model that takes rows of so many features; None: it does not say how many."""
    declared = settings.inputs
    if len(declared) > 1:
        columns = columns or [spec.name for spec in declared]
        declared = ()
    rows = TensorSpec(name=INPUT_NAME, datatype=datatype, shape=(-1, features or -1))
    if declared:
        spec = declared[0]
        rows = TensorSpec(
            name=spec.name,
            datatype=spec.datatype,
            shape=(-1, features) if features else (-1, *spec.shape[1:]),
        )
    return interned(
        Signature(
            inputs=(rows,),
            outputs=renamed(outputs, settings),
            matching=Matching.TABLE,
            named=bool(declared),
            columns=tuple(columns),
        )
    )


def renamed(outputs: Sequence[TensorSpec], settings: ModelSettings) -> tuple[TensorSpec, ...]:
    """The outputs, where a lone declared name that is none of theirs is another name for the first."""
    known = {spec.name for spec in outputs}
    if len(settings.outputs) != 1 or settings.outputs[0].name in known or not outputs:
        return tuple(outputs)
    first = outputs[0]
    alias = TensorSpec(name=settings.outputs[0].name, datatype=first.datatype, shape=first.shape)
    return (alias, *outputs[1:])
