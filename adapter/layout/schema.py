"""`schema.json`: the names, datatypes and shapes of a model's tensors (reference: runtime adapter 8)."""

import json
from dataclasses import dataclass

from adapter.domain.errors import ModelCorrupt

DATATYPES = frozenset(("BOOL", "BYTES", "STRING", "FP16", "BF16", "FP32", "FP64")) | frozenset(
    f"{kind}{bits}" for kind in ("INT", "UINT") for bits in (8, 16, 32, 64)
)
"""The Open Inference Protocol's, and `STRING`, which schemas written for Triton have."""

VARIABLE_DIMENSION = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSchema:
    """One input or output. A dimension of -1 is variable; the batch dimension is among them."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def as_json(self) -> dict[str, object]:
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSchema:
    """The tensors that the file lists; None where it says nothing of them."""

    inputs: tuple[TensorSchema, ...] | None = None
    outputs: tuple[TensorSchema, ...] | None = None


def parse_schema(text: bytes) -> ModelSchema:
    """Read a schema file. Unknown fields are passed over; `ModelCorrupt` says which field is wrong."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong("the file", f"is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise _wrong("the file", 'must be an object like {"inputs": [...], "outputs": [...]}')
    return ModelSchema(inputs=_tensors(document, "inputs"), outputs=_tensors(document, "outputs"))


def _tensors(document: dict[str, object], field: str) -> tuple[TensorSchema, ...] | None:
    listed = document.get(field)
    if listed is None:
        return None
    if not isinstance(listed, list):
        raise _wrong(field, "must be a list of tensors")
    return tuple(_tensor(entry, f"{field}[{place}]") for place, entry in enumerate(listed))


def _tensor(entry: object, where: str) -> TensorSchema:
    if not isinstance(entry, dict):
        raise _wrong(where, 'must be an object like {"name": "x", "datatype": "FP32", "shape": [-1, 4]}')
    name, datatype, shape = entry.get("name"), entry.get("datatype"), entry.get("shape")
    if not isinstance(name, str) or not name:
        raise _wrong(f"{where}.name", "must be a string that is not empty")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise _wrong(f"{where}.datatype", f"must be one of {', '.join(sorted(DATATYPES))}")
    if not isinstance(shape, list) or not all(_is_dimension(size) for size in shape):
        raise _wrong(f"{where}.shape", "must be a list of whole numbers, -1 for a variable dimension")
    return TensorSchema(name=name, datatype=datatype, shape=tuple(shape))


def _is_dimension(size: object) -> bool:
    # JSON's true is an int to Python.
    return isinstance(size, int) and not isinstance(size, bool) and size >= VARIABLE_DIMENSION


def _wrong(where: str, what: str) -> ModelCorrupt:
    return ModelCorrupt(f"the model's schema cannot be used: {where} {what}")
