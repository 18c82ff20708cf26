"""The plainest V2 inference, JSON to an encoded message and back, without a message object between.

Plain is what most clients send and most runtimes answer: tensors of numbers, and no parameters. Each function
gives None for everything else, also for what is wrong: `v2_json` reads it then, and tells what is wrong. What
both understand, both write alike.
"""

from functools import lru_cache
from typing import Final, NamedTuple, cast

from google.protobuf.message import DecodeError

from adapter.stubs.inference.open_inference_pb2 import ModelInferRequest, ModelInferResponse
from adapter.wire.delimited import delimited_fields, encoded_field
from adapter.wire.json_elements import flatten
from adapter.wire.json_fields import BadTensorJson, JsonObject, encode_json
from adapter.wire.json_text import text_of
from adapter.wire.v2_tensors import (
    DATATYPES,
    BadTensor,
    Datatype,
    Element,
    check_fits,
    contents_of,
    element_count,
    pack,
    unpack,
)

HEADS_REMEMBERED: Final = 1024
"""Of tensors: names, datatypes and shapes that came before are not checked and encoded again."""
HEAD_CHARS_MAX: Final = 256
RANK_MAX: Final = 8
LENGTH_MAX: Final = 2**31
"""Of a plain tensor in one dimension."""

_NAME, _VERSION, _ID, _TENSORS, _RAW = 1, 2, 3, 5, 6
"""Fields of the messages."""
_CONTENTS: Final = 5
"""The field of a tensor."""

_AS_RAW: Final = {"FP32": 6, "FP64": 7}
"""Datatypes whose typed contents are encoded as the raw bytes are, and the fields that hold them."""
_REQUEST_FIELDS: Final = frozenset({"inputs", "id"})
_TENSOR_FIELDS: Final = frozenset({"name", "shape", "datatype", "data"})
_NUMBERS: Final = frozenset({int, float})
_ONLY: Final = {
    name: _NUMBERS if datatype.is_float else frozenset({bool if name == "BOOL" else int})
    for name, datatype in DATATYPES.items()
}
"""The types that elements may have in JSON."""


class TensorHead(NamedTuple):
    """What stands before a tensor's elements."""

    datatype: Datatype
    elements: int
    encoded: bytes


def plain_request(fields: JsonObject, *, model_name: str, model_version: str) -> bytes | None:
    """A `ModelInferRequest` of the fields of a body; None: it is not plain."""
    inputs, request_id = fields.get("inputs"), fields.get("id", "")
    if type(inputs) is not list or type(request_id) is not str or not _REQUEST_FIELDS.issuperset(fields):
        return None
    try:
        parts = [_string(_NAME, model_name), _string(_VERSION, model_version), _string(_ID, request_id)]
        for tensor in inputs:
            encoded = _input(tensor)
            if encoded is None:
                return None
            parts.append(encoded_field(_TENSORS, encoded))
    except (BadTensorJson, BadTensor, UnicodeEncodeError):
        return None
    return b"".join(parts)


def _string(number: int, text: str) -> bytes:
    return encoded_field(number, text.encode()) if text else b""


def _input(fields: object) -> bytes | None:
    if type(fields) is not dict or not _TENSOR_FIELDS.issuperset(fields):
        return None
    name, shape, datatype = fields.get("name"), fields.get("shape"), fields.get("datatype")
    if (
        type(name) is not str
        or type(datatype) is not str
        or type(shape) is not list
        or len(name) > HEAD_CHARS_MAX
    ):
        return None
    for length in shape:
        if type(length) is not int:  # among the remembered ones, true and 1.0 would be 1
            return None
    head = _input_head(name, datatype, tuple(shape))
    data = fields.get("data")
    if head is None or type(data) is not list or not data:
        return None
    values = flatten(data, shape) if type(data[0]) is list else data
    if len(values) != head.elements or not _ONLY[datatype].issuperset(map(type, values)):
        return None
    return head.encoded + _contents(head.datatype, cast("list[Element]", values))


def _contents(datatype: Datatype, values: list[Element]) -> bytes:
    """The field with a tensor's elements. Raises `BadTensor` for one that does not fit."""
    number = _AS_RAW.get(datatype.name)
    if number is None:
        check_fits(datatype, values)
        return encoded_field(_CONTENTS, contents_of(datatype, values).SerializeToString())
    return encoded_field(_CONTENTS, encoded_field(number, pack(datatype, values)))


@lru_cache(maxsize=HEADS_REMEMBERED)
def _input_head(name: str, datatype_name: str, shape: tuple[int, ...]) -> TensorHead | None:
    """None: it is not plain."""
    datatype = _plain_datatype(datatype_name)
    if not name or datatype is None or datatype.contents is None or not _is_plain_shape(shape):
        return None
    tensor = ModelInferRequest.InferInputTensor(name=name, datatype=datatype_name, shape=shape)
    return TensorHead(datatype, element_count(shape), tensor.SerializeToString())


def plain_response(message: bytes) -> bytes | None:
    """The body that a `ModelInferResponse` becomes; None: it is not plain."""
    fields = delimited_fields(message)
    if fields is None:
        return None
    texts = {_NAME: "", _VERSION: "", _ID: ""}
    tensors: list[bytes] = []
    raws: list[bytes] = []
    try:
        for number, start, end in fields:
            if number == _TENSORS:
                tensors.append(message[start:end])
            elif number == _RAW:
                raws.append(message[start:end])
            elif number in texts:
                texts[number] = str(message[start:end], "utf-8")
            else:
                return None
        outputs = _raw_outputs(tensors, raws) if raws else _typed_outputs(tensors)
    except (BadTensor, DecodeError, UnicodeDecodeError):
        return None
    if outputs is None:
        return None
    head = b'{"model_name":' + encode_json(texts[_NAME])
    if texts[_VERSION]:
        head += b',"model_version":' + encode_json(texts[_VERSION])
    if texts[_ID]:
        head += b',"id":' + encode_json(texts[_ID])
    return b'%b,"outputs":[%b]}' % (head, b",".join(outputs))


def _raw_outputs(tensors: list[bytes], raws: list[bytes]) -> list[bytes] | None:
    if len(tensors) != len(raws):
        return None
    outputs: list[bytes] = []
    for tensor, raw in zip(tensors, raws, strict=True):
        output = _output(tensor, raw)
        if output is None:
            return None
        outputs.append(output)
    return outputs


def _typed_outputs(tensors: list[bytes]) -> list[bytes] | None:
    outputs: list[bytes] = []
    for tensor in tensors:
        fields = delimited_fields(tensor)
        if not fields or fields[-1].number != _CONTENTS:
            return None
        _, start, _ = fields[-1]
        contents = delimited_fields(tensor[start:])
        if contents is None or len(contents) != 1:
            return None
        number, at, _ = contents[0]
        output = _output(tensor[: fields[-2].end] if len(fields) > 1 else b"", tensor[start + at :], number)
        if output is None:
            return None
        outputs.append(output)
    return outputs


def _output(encoded_head: bytes, raw: bytes, typed_field: int | None = None) -> bytes | None:
    """One output with its data; `typed_field`: the bytes stood in that field of the typed contents."""
    head = _output_head(encoded_head) if len(encoded_head) <= HEAD_CHARS_MAX else None
    if head is None:
        return None
    datatype = head.datatype
    if typed_field is not None and _AS_RAW.get(datatype.name) != typed_field:
        return None
    if len(raw) != head.elements * (datatype.size_bytes or 0):
        return None
    data, _ = text_of(datatype, unpack(datatype, raw))
    return b'%b,"data":%b}' % (head.encoded, data)


@lru_cache(maxsize=HEADS_REMEMBERED)
def _output_head(encoded: bytes) -> TensorHead | None:
    """The JSON of an output but for its data and the last brace; None: it is not plain."""
    tensor = ModelInferResponse.InferOutputTensor.FromString(encoded)
    datatype, shape = _plain_datatype(tensor.datatype), tuple(tensor.shape)
    if datatype is None or tensor.parameters or tensor.HasField("contents") or not _is_plain_shape(shape):
        return None
    json = encode_json({"name": tensor.name, "datatype": tensor.datatype, "shape": shape})
    return TensorHead(datatype, element_count(shape), json[:-1])


def _plain_datatype(name: str) -> Datatype | None:
    datatype = DATATYPES.get(name)
    return None if datatype is None or datatype.is_bytes else datatype


def _is_plain_shape(shape: tuple[int, ...]) -> bool:
    return len(shape) <= RANK_MAX and all(0 <= length < LENGTH_MAX for length in shape)
