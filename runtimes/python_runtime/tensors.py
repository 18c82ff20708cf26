"""Tensors between V2 messages and numpy arrays.

Elements travel raw (little-endian bytes) or typed; whichever way a request came, the answer goes, except that
FP16 travels raw only and makes the whole answer raw (reference: KServe 4.2). BYTES elements are `bytes` in an
object array; a model that gives text has it sent as UTF-8. BF16 arrives as FP32, which holds it exactly.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adapter.stubs.inference.open_inference_pb2 import ModelInferRequest, ModelInferResponse
from adapter.wire.v2_tensors import (
    DATATYPES,
    BadTensor,
    Datatype,
    check_raw_size,
    datatype_named,
    element_count,
    join_elements,
    split_elements,
)
from runtimes.python_runtime.errors import BadRequest, ModelFailed
from runtimes.python_runtime.signature import NUMPY_TYPES, Array, Arrays, datatype_of

InputTensor = ModelInferRequest.InferInputTensor


def inputs_of(request: ModelInferRequest) -> dict[str, Array]:
    """The request's inputs by name. The arrays are its own copies, aligned and writable.

    Raises `BadRequest` when names, datatypes, shapes and elements do not go together.
    """
    raws: Sequence[bytes | None] = request.raw_input_contents
    tensors = request.inputs
    if not raws:
        raws = [None] * len(tensors)
    elif len(raws) != len(tensors):
        raise BadRequest(f"{len(tensors)} inputs, and {len(raws)} entries in raw_input_contents")
    arrays: dict[str, Array] = {}
    for tensor, raw in zip(tensors, raws, strict=True):
        if tensor.name in arrays:
            raise BadRequest(f"there are two inputs {tensor.name!r}")
        try:
            arrays[tensor.name] = _typed(tensor) if raw is None else _raw(tensor, raw)
        except BadTensor as error:
            raise BadRequest(f"input {tensor.name!r}: {error}") from error
    return arrays


def _raw(tensor: InputTensor, raw: bytes) -> Array:
    if tensor.HasField("contents"):
        raise BadTensor("it has contents, though the request has raw_input_contents")
    datatype = datatype_named(tensor.datatype)
    shape = tuple(tensor.shape)
    if datatype.is_bytes:
        return _text_array(split_elements(raw), shape)
    check_raw_size(datatype, shape, len(raw))
    if datatype.name == "BF16":
        return _widened(raw).reshape(shape)
    if datatype.name == "BOOL":  # a byte that is neither 0 nor 1 would make a broken numpy bool
        return np.frombuffer(raw, np.uint8).astype(np.bool_).reshape(shape)
    return np.frombuffer(raw, NUMPY_TYPES[datatype.name]).reshape(shape).copy()


def _typed(tensor: InputTensor) -> Array:
    datatype = datatype_named(tensor.datatype)
    shape = tuple(tensor.shape)
    if datatype.contents is None:
        raise BadTensor(f"{datatype.name} elements travel in raw_input_contents only")
    elements = getattr(tensor.contents, datatype.contents)
    if datatype.is_bytes:
        return _text_array(elements, shape)
    _check_count(len(elements), shape, datatype)
    try:
        return np.array(elements, NUMPY_TYPES[datatype.name]).reshape(shape)
    except OverflowError as error:
        raise BadTensor(f"an element does not fit {datatype.name}: {error}") from error


def _widened(raw: bytes) -> Array:
    """BF16 is the upper half of FP32."""
    return (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")


def _text_array(elements: Sequence[bytes], shape: tuple[int, ...]) -> Array:
    _check_count(len(elements), shape, DATATYPES["BYTES"])
    array = np.empty(len(elements), object)
    array[:] = elements
    return array.reshape(shape)


def _check_count(count: int, shape: tuple[int, ...], datatype: Datatype) -> None:
    wanted = element_count(shape)
    if count != wanted:
        raise BadTensor(
            f"{count} {datatype.name} elements in {datatype.contents}, "
            f"and the shape {list(shape)} has {wanted}"
        )


def add_outputs(response: ModelInferResponse, outputs: Mapping[str, Any], *, raw: bool) -> None:
    """Append a model's outputs, whatever they are as long as numpy can hold them.

    Raises `ModelFailed` for what the protocol has no datatype for.
    """
    arrays = {name: _sendable(name, value) for name, value in outputs.items()}
    raw = raw or any(datatype_of(array.dtype) == "FP16" for array in arrays.values())
    for name, array in arrays.items():
        datatype = DATATYPES[datatype_of(array.dtype) or ""]
        tensor = response.outputs.add(name=name, datatype=datatype.name, shape=array.shape)
        if raw:
            response.raw_output_contents.append(_to_raw(array))
        else:
            getattr(tensor.contents, datatype.contents or "").extend(array.ravel().tolist())


def _to_raw(array: Array) -> bytes:
    if array.dtype.kind == "O":
        return join_elements(array.ravel().tolist())
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _sendable(name: str, value: object) -> Array:
    """An array of a datatype of the protocol; text is encoded."""
    if hasattr(value, "toarray"):  # scipy's sparse matrices
        value = value.toarray()
    array = np.asarray(value)
    if array.dtype.kind == "O":
        array = _narrowed(array)
    if array.dtype.kind in "OSU":
        encoded = np.empty(array.size, object)
        encoded[:] = [_encoded(element) for element in array.ravel().tolist()]
        return encoded.reshape(array.shape)
    if array.dtype.kind == "f" and datatype_of(array.dtype) is None:
        return array.astype(np.float64)  # a long double
    if datatype_of(array.dtype) is None:
        raise ModelFailed(f"the model's output {name!r} is {array.dtype}, which the protocol cannot carry")
    return array


def _narrowed(array: Array) -> Array:
    """Numbers that came as objects, as numbers; anything else as it is."""
    elements = array.ravel().tolist()
    if elements and all(isinstance(element, (bool, int, float, np.generic)) for element in elements):
        narrowed = np.array(elements)
        if narrowed.dtype.kind in "biuf":
            return narrowed.reshape(array.shape)
    return array


def _encoded(element: object) -> bytes:
    return element if isinstance(element, bytes) else str(element).encode()


def as_text(name: str, array: Array) -> Array:
    """BYTES elements as `str`, for libraries that want text. Raises `BadRequest`."""
    if array.dtype.kind != "O":
        return array
    try:
        texts = [element.decode() for element in array.ravel().tolist()]
    except UnicodeDecodeError as error:
        raise BadRequest(f"input {name!r}: an element is not UTF-8: {error}") from error
    decoded = np.empty(len(texts), object)
    decoded[:] = texts
    return decoded.reshape(array.shape)


__all__ = ["Array", "Arrays", "add_outputs", "as_text", "inputs_of"]
