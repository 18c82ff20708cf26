"""Open Inference Protocol JSON, with the binary tensor extension, to and from the gRPC messages.

V1 is in `v1_json`, and is offered here too, so that a REST door needs one module. Where the published
documents leave it open (reference: KServe 4.1, 4.3; runtime adapter 9.4, 9.5):

- Keys that nobody knows, and parameters that are lists or objects, are skipped.
- `data` must have as many elements as the shape has; nested `data` must be nested to the shape.
- A whole number in parameters becomes int64, or uint64 above that; another number becomes a double.
- In an answer `data` is flat. `id`, `model_version` and parameters are left out when they are empty;
  `shape` never is. BYTES are strings when all of them are UTF-8, else base64, and `content_type` says so;
  a door that answers as ModelMesh's REST proxy did passes on what `text_choice` says.

Only orjson, the standard library and the messages: the in-house runtime uses this module too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from adapter.stubs.inference.open_inference_pb2 import (
    InferParameter,
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataResponse,
)
from adapter.wire.json_elements import BASE64_NAMES, TEXT_NAMES, elements_from
from adapter.wire.json_fields import (
    BadTensorJson,
    JsonObject,
    at_field,
    encode_json,
    infer_parameters,
    json_parameters,
    object_field,
    objects_field,
    parse_object,
    shape_field,
    text_field,
)
from adapter.wire.json_text import text_of
from adapter.wire.v1_json import v1_request, v1_response
from adapter.wire.v2_messages import InputTensor, add_inputs, output_raw, output_values
from adapter.wire.v2_tensors import check_raw_size, datatype_named

__all__ = [
    "BadTensorJson",
    "BinaryChoice",
    "TextChoice",
    "binary_choice",
    "infer_request",
    "infer_response",
    "metadata_json",
    "request_of",
    "text_choice",
    "v1_request",
    "v1_response",
]

LENGTH_HEADER = "Inference-Header-Content-Length"


def infer_request(
    body: bytes, *, json_length: int | None, model_name: str, model_version: str = ""
) -> ModelInferRequest:
    """A body of `POST v2/models/{m}/infer` as a message; raises `BadTensorJson`.

    `json_length` is the header `Inference-Header-Content-Length`: how many bytes of the body are JSON, with
    binary tensors behind. Model and version are the URL's; what the body says of them is not looked at.
    """
    binary = _Binary(body, json_length)
    return _request(parse_object(binary.document), binary, model_name, model_version)


def request_of(fields: JsonObject, *, model_name: str, model_version: str = "") -> ModelInferRequest:
    """The same of a body that is parsed already, and is JSON alone."""
    return _request(fields, _Binary(b"", None), model_name, model_version)


def _request(fields: JsonObject, binary: "_Binary", model_name: str, model_version: str) -> ModelInferRequest:
    tensors = []
    for place, tensor in enumerate(objects_field(fields, "inputs", required=True)):
        with at_field(f"inputs[{place}]"):
            tensors.append(_input_tensor(tensor, binary))
    binary.expect_end()
    request = ModelInferRequest(
        model_name=model_name,
        model_version=model_version,
        id=text_field(fields, "id"),
        parameters=infer_parameters(object_field(fields, "parameters")),
    )
    add_inputs(request, tensors)
    for place, output in enumerate(objects_field(fields, "outputs")):
        with at_field(f"outputs[{place}]"):
            name, parameters = text_field(output, "name", required=True), object_field(output, "parameters")
            request.outputs.add(name=name, parameters=infer_parameters(parameters))
    return request


class _Binary:
    """The body's JSON, and the binary tensors behind it, taken in order."""

    def __init__(self, body: bytes, json_length: int | None) -> None:
        if json_length is not None and not 0 < json_length <= len(body):
            raise BadTensorJson(
                f"{LENGTH_HEADER}: {json_length} of a body of {len(body)} bytes cannot be JSON"
            )
        self._body = body
        self._json_length = json_length
        self._position = len(body) if json_length is None else json_length

    @property
    def document(self) -> bytes:
        return self._body if self._json_length is None else self._body[: self._json_length]

    def take(self, size_bytes: object) -> bytes:
        if type(size_bytes) is not int or size_bytes < 0:
            raise BadTensorJson("must be a whole number from 0 up")
        if self._json_length is None:
            raise BadTensorJson(f"the request has no header {LENGTH_HEADER}")
        left = len(self._body) - self._position
        if size_bytes > left:
            raise BadTensorJson(f"{size_bytes}, and {left} bytes are left in the body")
        self._position += size_bytes
        return self._body[self._position - size_bytes : self._position]

    def expect_end(self) -> None:
        left = len(self._body) - self._position
        if left:
            raise BadTensorJson(f"{left} bytes at the end of the body belong to no input")


def _input_tensor(fields: JsonObject, binary: _Binary) -> InputTensor:
    name, shape = text_field(fields, "name", required=True), shape_field(fields)
    parameters = {**object_field(fields, "parameters")}
    with at_field("datatype"):
        datatype = datatype_named(text_field(fields, "datatype"))
    if ("binary_data_size" in parameters) == ("data" in fields):
        raise BadTensorJson("exactly one of it and parameters.binary_data_size must be there", field="data")
    if "data" in fields:
        is_base64 = parameters.get("content_type") in BASE64_NAMES
        with at_field("data"):
            values, raw = elements_from(fields["data"], datatype, shape, is_base64=is_base64), None
    else:
        with at_field("parameters.binary_data_size"):
            values, raw = [], binary.take(parameters.pop("binary_data_size"))
            check_raw_size(datatype, shape, len(raw))
    return InputTensor(
        name=name,
        datatype=datatype,
        shape=shape,
        values=values,
        raw=raw,
        parameters=infer_parameters(parameters),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryChoice:
    """Which outputs the client wants as binary data behind the JSON."""

    default: bool = False
    outputs: Mapping[str, bool] = field(default_factory=dict)

    def for_output(self, name: str) -> bool:
        return self.outputs.get(name, self.default)


NO_BINARY = BinaryChoice()


def binary_choice(request: ModelInferRequest) -> BinaryChoice:
    """What is asked for: `binary_data_output` of the request, and `binary_data` of an output, which wins."""
    if not request.parameters and not request.outputs:
        return NO_BINARY
    return BinaryChoice(
        default=_is_true(request.parameters, "binary_data_output"),
        outputs={
            output.name: _is_true(output.parameters, "binary_data")
            for output in request.outputs
            if "binary_data" in output.parameters
        },
    )


def _is_true(parameters: Mapping[str, InferParameter], name: str) -> bool:
    return name in parameters and parameters[name].bool_param


@dataclass(frozen=True, slots=True, kw_only=True)
class TextChoice:
    """For which outputs BYTES are strings where they are UTF-8; for the others always base64."""

    default: bool = True
    outputs: Mapping[str, bool] = field(default_factory=dict)

    def for_output(self, name: str) -> bool:
        return self.outputs.get(name, self.default)


TEXT_IF_POSSIBLE = TextChoice()
ALL_BASE64 = TextChoice(default=False)


def text_choice(request: ModelInferRequest) -> TextChoice:
    """What a door answers that took ModelMesh's place (reference: runtime adapter 9.5).

    BYTES are base64, unless the client shows that it knows another way: it names `binary_data` or
    `binary_data_output`, whatever their values, or asks for a `content_type` of `str`, for the whole request
    or for an output.
    """
    if not request.parameters and not request.outputs:
        return ALL_BASE64
    knows_binary = "binary_data_output" in request.parameters or any(
        "binary_data" in output.parameters for output in request.outputs
    )
    asked = _asks_for_text(request.parameters)
    by_output = {output.name: _asks_for_text(output.parameters) for output in request.outputs}
    return TextChoice(
        default=knows_binary if asked is None else asked,
        outputs={name: wanted for name, wanted in by_output.items() if wanted is not None},
    )


def _asks_for_text(parameters: Mapping[str, InferParameter]) -> bool | None:
    """Whether strings are asked for, or base64; None: nothing that we know is asked for."""
    name = parameters["content_type"].string_param if "content_type" in parameters else ""
    return True if name in TEXT_NAMES else False if name in BASE64_NAMES else None


def infer_response(
    response: ModelInferResponse, *, binary: BinaryChoice, text: TextChoice = TEXT_IF_POSSIBLE
) -> tuple[bytes, int | None]:
    """The body of an answer, and the length of its JSON if binary data follow it, else None.

    Raises `BadTensorJson` if the runtime's tensors do not go with their shapes.
    """
    fields: JsonObject = {"model_name": response.model_name}
    if response.model_version:
        fields["model_version"] = response.model_version
    if response.id:
        fields["id"] = response.id
    if response.parameters:
        fields["parameters"] = json_parameters(response.parameters)
    raws: list[bytes] = []
    outputs = fields["outputs"] = list[JsonObject]()
    for place, tensor in enumerate(response.outputs):
        with at_field(f"outputs[{place}]"):
            if binary.for_output(tensor.name):
                outputs.append(_binary_output(response, place, raws))
            else:
                outputs.append(_json_output(response, place, text))
    document = encode_json(fields)
    return (document + b"".join(raws), len(document)) if raws else (document, None)


def _binary_output(response: ModelInferResponse, place: int, raws: list[bytes]) -> JsonObject:
    """One output whose data go to `raws`."""
    tensor = response.outputs[place]
    raws.append(output_raw(response, place, datatype_named(tensor.datatype)))
    head = _output_head(tensor)
    head["parameters"] = {**json_parameters(tensor.parameters), "binary_data_size": len(raws[-1])}
    return head


def _json_output(response: ModelInferResponse, place: int, text: TextChoice) -> JsonObject:
    """One output with its data as JSON."""
    tensor = response.outputs[place]
    datatype = datatype_named(tensor.datatype)
    values = output_values(response, place, datatype)
    data, is_base64 = text_of(datatype, values, always_base64=not text.for_output(tensor.name))
    head = _output_head(tensor)
    if is_base64:
        head["parameters"] = {**json_parameters(tensor.parameters), "content_type": "base64"}
    elif tensor.parameters:
        head["parameters"] = json_parameters(tensor.parameters)
    head["data"] = orjson.Fragment(data)
    return head


def _output_head(tensor: ModelInferResponse.InferOutputTensor) -> JsonObject:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}


def metadata_json(response: ModelMetadataResponse) -> bytes:
    """The body of `GET v2/models/{m}`; numbers in shapes are numbers."""
    fields: JsonObject = {"name": response.name}
    if response.versions:
        fields["versions"] = list(response.versions)
    fields["platform"] = response.platform
    for name, tensors in (("inputs", response.inputs), ("outputs", response.outputs)):
        fields[name] = [
            {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
            for tensor in tensors
        ]
    if response.properties:
        fields["properties"] = dict(response.properties)
    return encode_json(fields)
