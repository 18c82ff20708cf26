"""Tensors into a V2 request, and out of a V2 response."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from adapter.stubs.inference.open_inference_pb2 import InferParameter, ModelInferRequest, ModelInferResponse
from adapter.wire.v2_tensors import (
    BadTensor,
    Datatype,
    Element,
    add_contents,
    check_raw_size,
    element_count,
    pack,
    unpack,
    values_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputTensor:
    """One input, as elements or as raw bytes."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    values: Sequence[Element] = ()
    raw: bytes | None = None
    """If not None, this and not `values` is the tensor."""
    parameters: Mapping[str, InferParameter] = field(default_factory=dict)

    @property
    def needs_raw(self) -> bool:
        return self.raw is not None or self.datatype.contents is None


def add_inputs(request: ModelInferRequest, tensors: Sequence[InputTensor]) -> None:
    """Add the inputs: all typed, or all raw as soon as one of them must be. The protocol allows no mix."""
    all_raw = any(tensor.needs_raw for tensor in tensors)
    for tensor in tensors:
        added = request.inputs.add(name=tensor.name, datatype=tensor.datatype.name, shape=tensor.shape)
        for name, parameter in tensor.parameters.items():
            added.parameters[name].CopyFrom(parameter)
        if all_raw:
            raw = pack(tensor.datatype, tensor.values) if tensor.raw is None else tensor.raw
            request.raw_input_contents.append(raw)
        else:
            add_contents(added.contents, tensor.datatype, tensor.values)


def output_values(response: ModelInferResponse, place: int, datatype: Datatype) -> Sequence[Element]:
    """The elements of an output; raises `BadTensor` if they do not go with its shape."""
    tensor = response.outputs[place]
    shape = list(tensor.shape)
    if response.raw_output_contents:
        raw = _raw_output(response, place)
        check_raw_size(datatype, shape, len(raw))
        values = unpack(datatype, raw)
        if not datatype.is_bytes:
            return values  # the size was all that could be wrong
    else:
        values = values_of(datatype, tensor.contents)
    count = element_count(shape)
    if len(values) != count:
        raise BadTensor(f"{len(values)} elements, and shape {shape} has {count}")
    return values


def output_raw(response: ModelInferResponse, place: int, datatype: Datatype) -> bytes:
    """The raw bytes of an output; raises `BadTensor` if they do not go with its shape."""
    if not response.raw_output_contents:
        return pack(datatype, output_values(response, place, datatype))
    raw = _raw_output(response, place)
    check_raw_size(datatype, response.outputs[place].shape, len(raw))
    return raw


def _raw_output(response: ModelInferResponse, place: int) -> bytes:
    raws = response.raw_output_contents
    if len(raws) != len(response.outputs):
        raise BadTensor(f"{len(response.outputs)} outputs and {len(raws)} raw contents")
    return raws[place]
