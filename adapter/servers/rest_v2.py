"""V2 over REST (reference: KServe 4.1, 4.3): ourselves, models, inference.

Whether a body is JSON or has binary tensors behind is told by `Inference-Header-Content-Length`, never by the
content type, since clients disagree about that. BYTES are answered as `wire.v2_json.text_choice` says. The
lengths in a model's metadata are numbers, as the protocol and its clients have them; ModelMesh's proxy
wrote strings (reference: runtime adapter 9.5).
"""

from adapter.domain.errors import Code, RuntimeFailed
from adapter.servers.rest_answers import (
    HttpAnswer,
    bad_request,
    binary_answer,
    encoded_answer,
    json_answer,
)
from adapter.servers.rest_body import beside_the_loop
from adapter.servers.rest_exchange import Exchange, no_such_message
from adapter.servers.rest_routes import Route
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.wire.statuses import http_status
from adapter.wire.v2_bodies import (
    AnswerChoice,
    BadTensorJson,
    NoMessage,
    body_from_response,
    request_from_body,
)
from adapter.wire.v2_json import metadata_json

EXTENSIONS = ("binary_tensor_data", "model_repository")
"""What this door adds to the protocol, beside what the server itself tells."""


async def alive(_: Exchange) -> HttpAnswer:
    """`GET /`."""
    return json_answer({"status": "alive"})


async def server(exchange: Exchange) -> HttpAnswer:
    """`GET /v2`."""
    told = await exchange.call("ServerMetadata", v2.ServerMetadataRequest(), v2.ServerMetadataResponse)
    extensions = list(dict.fromkeys([*told.extensions, *EXTENSIONS]))
    return json_answer({"name": told.name, "version": told.version, "extensions": extensions})


async def server_live(exchange: Exchange) -> HttpAnswer:
    """`GET /v2/health/live`."""
    told = await exchange.call("ServerLive", v2.ServerLiveRequest(), v2.ServerLiveResponse)
    return json_answer({"live": told.live}, 200 if told.live else NOT_READY)


async def server_ready(exchange: Exchange) -> HttpAnswer:
    """`GET /v2/health/ready`."""
    told = await exchange.call("ServerReady", v2.ServerReadyRequest(), v2.ServerReadyResponse)
    return json_answer({"ready": told.ready}, 200 if told.ready else NOT_READY)


async def model_ready(exchange: Exchange) -> HttpAnswer:
    """`GET /v2/models/{m}/ready`, and `GET /v1/models/{m}`."""
    name = exchange.route.model
    request = v2.ModelReadyRequest(name=name, version=exchange.route.version)
    told = await exchange.call("ModelReady", request, v2.ModelReadyResponse)
    if told.ready:
        return json_answer({"name": name, "ready": True})
    text = f"Model with name {name} is not ready."
    error = {"error": text, "code": int(Code.UNAVAILABLE), "message": text}
    return json_answer({"name": name, "ready": False, **error}, NOT_READY)


NOT_READY = http_status(Code.UNAVAILABLE)


async def metadata(exchange: Exchange) -> HttpAnswer:
    """`GET /v2/models/{m}`."""
    return encoded_answer(metadata_json(await model_metadata(exchange)))


async def model_metadata(exchange: Exchange) -> v2.ModelMetadataResponse:
    """What the runtime says of the model that the path names."""
    request = v2.ModelMetadataRequest(name=exchange.route.model, version=exchange.route.version)
    return await exchange.call("ModelMetadata", request, v2.ModelMetadataResponse)


async def infer(exchange: Exchange) -> HttpAnswer:
    """`POST /v2/models/{m}/infer`."""
    body = await exchange.body.read()
    json_bytes = exchange.headers.json_bytes
    json_size = len(body) if json_bytes is None else json_bytes
    message, choice = await beside_the_loop(
        json_size, lambda: infer_message(exchange.route, body, json_bytes)
    )
    response = await exchange.call_encoded("ModelInfer", message)
    return await beside_the_loop(len(response), lambda: infer_answer(response, choice))


def infer_message(route: Route, body: bytes, json_bytes: int | None) -> tuple[bytes, AnswerChoice]:
    """The call that the body asks for; raises `InvalidRequest`."""
    try:
        return request_from_body(
            body, json_length=json_bytes, model_name=route.model, model_version=route.version
        )
    except BadTensorJson as error:
        raise bad_request(error) from error


def infer_answer(response: bytes, choice: AnswerChoice) -> HttpAnswer:
    """What the runtime's response becomes; raises `RuntimeFailed`."""
    try:
        content, json_bytes = body_from_response(response, choice)
    except NoMessage as error:
        raise no_such_message("ModelInfer") from error
    except BadTensorJson as error:
        raise RuntimeFailed(f"the runtime's answer cannot be read: {error}") from error
    return encoded_answer(content) if json_bytes is None else binary_answer(content, json_bytes)
