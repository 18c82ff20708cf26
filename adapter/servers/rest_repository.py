"""The repository calls over REST (reference: KServe 4.3, 4.5): which models there are, load, unload."""

import base64
import binascii

from adapter.domain.errors import InvalidRequest
from adapter.servers.rest_answers import HttpAnswer, bad_request, json_answer
from adapter.servers.rest_exchange import Exchange
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.wire.json_fields import BadTensorJson, JsonObject, object_field, parse_object, text_field

FILE_PREFIX = "file:"
"""Parameters of a load whose name begins so hold the content of a file, in base64."""

_INT64 = range(-(2**63), 2**63)


async def names(exchange: Exchange) -> HttpAnswer:
    """`GET /v2/models` and `GET /v1/models`: every registered model."""
    told = await exchange.call("RepositoryIndex", v2.RepositoryIndexRequest(), v2.RepositoryIndexResponse)
    return json_answer({"models": [model.name for model in told.models]})


async def index(exchange: Exchange) -> HttpAnswer:
    """`POST /v2/repository/index`."""
    fields = await _fields(exchange)
    ready = fields.get("ready")
    if not isinstance(ready, bool | None):
        raise InvalidRequest("ready: must be true or false")
    request = v2.RepositoryIndexRequest(ready=bool(ready))
    told = await exchange.call("RepositoryIndex", request, v2.RepositoryIndexResponse)
    return json_answer(
        [
            {"name": model.name, "version": model.version, "state": model.state, "reason": model.reason}
            for model in told.models
        ]
    )


async def load(exchange: Exchange) -> HttpAnswer:
    """`POST /v2/repository/models/{m}/load`."""
    name = exchange.route.model
    request = v2.RepositoryModelLoadRequest(model_name=name, parameters=await _parameters(exchange))
    await exchange.call("RepositoryModelLoad", request, v2.RepositoryModelLoadResponse)
    return json_answer({"name": name, "load": True})


async def unload(exchange: Exchange) -> HttpAnswer:
    """`POST /v2/repository/models/{m}/unload`."""
    name = exchange.route.model
    request = v2.RepositoryModelUnloadRequest(model_name=name, parameters=await _parameters(exchange))
    await exchange.call("RepositoryModelUnload", request, v2.RepositoryModelUnloadResponse)
    return json_answer({"name": name, "unload": True})


async def _fields(exchange: Exchange) -> JsonObject:
    """The body, which may be missing."""
    body = await exchange.body.read()
    try:
        return parse_object(body) if body.strip() else {}
    except BadTensorJson as error:
        raise bad_request(error) from error


async def _parameters(exchange: Exchange) -> dict[str, v2.ModelRepositoryParameter]:
    fields = await _fields(exchange)
    try:
        given = object_field(fields, "parameters")
        return {name: _parameter(name, given) for name in given}
    except BadTensorJson as error:
        raise bad_request(error) from error


def _parameter(name: str, given: JsonObject) -> v2.ModelRepositoryParameter:
    if name.startswith(FILE_PREFIX):
        return v2.ModelRepositoryParameter(bytes_param=_file(text_field(given, name, required=True), name))
    match given[name]:
        case bool() as value:
            return v2.ModelRepositoryParameter(bool_param=value)
        case int() as value if value in _INT64:
            return v2.ModelRepositoryParameter(int64_param=value)
        case str() as value:
            return v2.ModelRepositoryParameter(string_param=value)
        case _:
            raise BadTensorJson(
                "must be a string, a boolean, or a whole number of 64 bits", field=f"parameters.{name}"
            )


def _file(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadTensorJson(f"must be base64: {error}", field=f"parameters.{name}") from error
