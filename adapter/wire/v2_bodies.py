"""Bodies of `POST v2/models/{m}/infer` to encoded messages, and encoded messages to bodies.

What is plain never becomes a message object (`v2_plain`); all else does (`v2_json`). BYTES are answered as
`v2_json.text_choice` says.
"""

from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from adapter.stubs.inference.open_inference_pb2 import ModelInferResponse
from adapter.wire.json_fields import BadTensorJson, parse_object
from adapter.wire.v2_json import (
    ALL_BASE64,
    NO_BINARY,
    BinaryChoice,
    TextChoice,
    binary_choice,
    infer_request,
    infer_response,
    request_of,
    text_choice,
)
from adapter.wire.v2_plain import plain_request, plain_response


class AnswerChoice(NamedTuple):
    """How the client wants its answer."""

    binary: BinaryChoice
    text: TextChoice


PLAIN: Final = AnswerChoice(NO_BINARY, ALL_BASE64)
"""Nothing is asked for."""


class NoMessage(ValueError):
    """The bytes are no `ModelInferResponse`."""


def request_from_body(
    body: bytes, *, json_length: int | None, model_name: str, model_version: str = ""
) -> tuple[bytes, AnswerChoice]:
    """The encoded request, and how its answer is wanted; raises `BadTensorJson`.

    `json_length` is the header `Inference-Header-Content-Length`, as in `v2_json.infer_request`.
    """
    if json_length is None:
        fields = parse_object(body)
        encoded = plain_request(fields, model_name=model_name, model_version=model_version)
        if encoded is not None:
            return encoded, PLAIN
        request = request_of(fields, model_name=model_name, model_version=model_version)
    else:
        request = infer_request(
            body, json_length=json_length, model_name=model_name, model_version=model_version
        )
    return request.SerializeToString(), AnswerChoice(binary_choice(request), text_choice(request))


def body_from_response(message: bytes, choice: AnswerChoice) -> tuple[bytes, int | None]:
    """The body of an answer, and the length of its JSON if binary data follow it, else None.

    Raises `NoMessage`, and `BadTensorJson` if the runtime's tensors do not go with their shapes.
    """
    if choice.binary is NO_BINARY:
        body = plain_response(message)
        if body is not None:
            return body, None
    try:
        response = ModelInferResponse.FromString(message)
    except DecodeError as error:
        raise NoMessage from error
    return infer_response(response, binary=choice.binary, text=choice.text)


__all__ = ["PLAIN", "AnswerChoice", "BadTensorJson", "NoMessage", "body_from_response", "request_from_body"]
