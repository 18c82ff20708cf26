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
from adapter.servers.rest_exchange import Exchange
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.wire.statuses import http_status
from adapter.wire.v2_json import (
    BadTensorJson,
    binary_choice,
    infer_request,
    infer_response,
    metadata_json,
    text_choice,
)

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
    request = await beside_the_loop(json_size, lambda: _request(exchange, body, json_bytes))
    response = await exchange.call("ModelInfer", request, v2.ModelInferResponse)
    return await beside_the_loop(response.ByteSize(), lambda: _answer(request, response))


def _request(exchange: Exchange, body: bytes, json_bytes: int | None) -> v2.ModelInferRequest:
    route = exchange.route
    try:
        return infer_request(
            body, json_length=json_bytes, model_name=route.model, model_version=route.version
        )
    except BadTensorJson as error:
        raise bad_request(error) from error


def _answer(request: v2.ModelInferRequest, response: v2.ModelInferResponse) -> HttpAnswer:
    try:
        content, json_bytes = infer_response(
            response, binary=binary_choice(request), text=text_choice(request)
        )
    except BadTensorJson as error:
        raise RuntimeFailed(f"the runtime's answer cannot be read: {error}") from error
    return encoded_answer(content) if json_bytes is None else binary_answer(content, json_bytes)
