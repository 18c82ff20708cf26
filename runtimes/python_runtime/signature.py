"""What a model takes and gives: the words of `ModelMetadata`, and the check of a request against them.

Thousands of small models have few distinct signatures, so equal ones are one object (`interned`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtimes.python_runtime.errors import BadRequest

Array = NDArray[Any]
Arrays = Mapping[str, Array]

NUMPY_TYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype(object),
}
"""BF16 is not among them, since numpy has none: it arrives as FP32 (see `tensors`)."""

_DATATYPES = {dtype: name for name, dtype in NUMPY_TYPES.items()}
_TEXT_KINDS = "OSU"


def datatype_of(dtype: np.dtype[Any]) -> str | None:
    """The protocol's name for a numpy type; None if it has none."""
    if dtype.kind in _TEXT_KINDS:
        return "BYTES"
    return _DATATYPES.get(dtype.newbyteorder("<") if dtype.itemsize > 1 else dtype)


class Matching(Enum):
    """How strictly the inputs of a request are compared with the signature."""

    BY_NAME = "each input by its name, datatype and shape"
    TABLE = "one table of rows, or its columns by their names; the library says which datatypes it takes"
    ANYTHING = "the model has not said what it takes"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One input or output. -1 in `shape` is any length."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name!r} {self.datatype} {list(self.shape)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """All inputs and outputs of a model."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    matching: Matching = Matching.ANYTHING
    named: bool = True
    """The names are the model's own. Where we made one up, a lone input may have any name."""
    columns: tuple[str, ...] = ()
    """TABLE: the columns' names in order, where they may come as one input each."""

    def check_inputs(self, inputs: Arrays) -> None:
        """Raise `BadRequest`, saying what is expected and what came."""
        if self.matching is Matching.TABLE:
            self._check_table(inputs)
        elif self.matching is Matching.BY_NAME:
            self._check_by_name(inputs)
        elif not inputs:
            raise BadRequest("the request has no inputs")

    def check_outputs(self, names: tuple[str, ...]) -> None:
        """Raise `BadRequest` for a requested output that there is not."""
        if not self.outputs:
            return
        known = {spec.name for spec in self.outputs}
        for name in names:
            if name not in known:
                raise BadRequest(f"there is no output {name!r}; the model has {_listed(self.outputs)}")

    def _check_by_name(self, inputs: Arrays) -> None:
        wanted = {spec.name: spec for spec in self.inputs}
        for name in inputs:
            if name not in wanted:
                raise BadRequest(f"there is no input {name!r}; the model expects {_listed(self.inputs)}")
        for name, spec in wanted.items():
            if name not in inputs:
                raise BadRequest(f"the input {spec} is missing")
            _check_type(spec, inputs[name])
            _check_shape(spec, inputs[name])

    def _check_table(self, inputs: Arrays) -> None:
        if len(inputs) > 1 and self.columns and set(inputs) == set(self.columns):
            self._check_columns(inputs)
            return
        if len(inputs) != 1:
            columns = f", or one input for each of the columns {list(self.columns)}" if self.columns else ""
            expected = f"one input, {_listed(self.inputs)}{columns}"
            raise BadRequest(f"the model expects {expected}; {len(inputs)} came: {list(inputs)}")
        (name, array), spec = next(iter(inputs.items())), self.inputs[0]
        if self.named and name != spec.name:
            raise BadRequest(f"there is no input {name!r}; the model expects {spec}")
        _check_shape(spec, array)

    def _check_columns(self, inputs: Arrays) -> None:
        rows = {column.shape[0] if column.ndim else 0 for column in inputs.values()}
        if len(rows) != 1:
            raise BadRequest(f"the columns have different numbers of rows: {sorted(rows)}")
        for name, column in inputs.items():
            if column.ndim != 1 and column.shape[1:] != (1,):
                raise BadRequest(
                    f"the column {name!r} must have the shape [-1] or [-1, 1], not {list(column.shape)}"
                )


@lru_cache(maxsize=1024)
def interned(signature: Signature) -> Signature:
    """The one object for all signatures equal to this one, as long as it is among the last 1024 seen."""
    return signature


def _check_type(spec: TensorSpec, array: Array) -> None:
    if array.dtype != NUMPY_TYPES.get(spec.datatype, array.dtype):
        raise BadRequest(f"the input {spec} came as {datatype_of(array.dtype)}")


def _check_shape(spec: TensorSpec, array: Array) -> None:
    shape, wanted = array.shape, spec.shape
    if len(shape) == len(wanted) and all(
        length in (want, -1) or want == -1 for length, want in zip(shape, wanted, strict=True)
    ):
        return
    raise BadRequest(
        f"the input {spec} came with the shape {list(shape)}"
        + (
            f", which has {len(shape)} dimensions instead of {len(wanted)}"
            if len(shape) != len(wanted)
            else ""
        )
    )


def _listed(specs: tuple[TensorSpec, ...]) -> str:
    return ", ".join(map(str, specs)) if specs else "nothing"
