"""V1 over REST (reference: KServe 4.4).

V1 names neither the inputs nor their datatypes, so each prediction asks for the model's metadata first.
"""

from collections.abc import Sequence

from adapter.domain.errors import MethodNotPermitted, RuntimeFailed
from adapter.servers.rest_answers import HttpAnswer, bad_request, encoded_answer
from adapter.servers.rest_body import beside_the_loop
from adapter.servers.rest_exchange import Exchange
from adapter.servers.rest_v2 import model_metadata
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.wire.v1_json import ModelInput, v1_request, v1_response
from adapter.wire.v2_json import BadTensorJson


async def predict(exchange: Exchange) -> HttpAnswer:
    """`POST /v1/models/{m}:predict`."""
    body = await exchange.body.read()
    told = await model_metadata(exchange)
    inputs = [(tensor.name, tensor.datatype, tuple(tensor.shape)) for tensor in told.inputs]
    name = exchange.route.model
    request = await beside_the_loop(len(body), lambda: _request(body, name, inputs))
    response = await exchange.call("ModelInfer", request, v2.ModelInferResponse)
    return await beside_the_loop(response.ByteSize(), lambda: _answer(response))


def _request(body: bytes, name: str, inputs: Sequence[ModelInput]) -> v2.ModelInferRequest:
    try:
        return v1_request(body, model_name=name, inputs=inputs)
    except BadTensorJson as error:
        raise bad_request(error) from error


def _answer(response: v2.ModelInferResponse) -> HttpAnswer:
    try:
        return encoded_answer(v1_response(response))
    except BadTensorJson as error:
        raise RuntimeFailed(f"the runtime's answer cannot be written as V1: {error}") from error


async def explain(_: Exchange) -> HttpAnswer:
    """`POST /v1/models/{m}:explain`: the V2 messages have no word for it."""
    raise MethodNotPermitted("explanations are not offered here")
