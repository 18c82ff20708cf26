"""`remesh infer NAME`: one request, from JSON or from what the model says of itself."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from adapter.cli.addresses import DEFAULT_ADDRESS, Address, found
from adapter.cli.running import fail, run
from adapter.domain.ids import ModelId
from adapter.peers.mesh_client import Answer, MeshClient
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.wire.v1_json import v1_request
from adapter.wire.v2_json import BadTensorJson, binary_choice, infer_request, infer_response
from adapter.wire.v2_tensors import datatype_named, element_count


def command(
    name: Annotated[str, typer.Argument(help="A registered model.")],
    data: Annotated[
        str | None,
        typer.Option(help="Rows as JSON, e.g. '[[5.1, 3.5, 1.4, 0.2]]', in the datatype the model asks for."),
    ] = None,
    body: Annotated[
        Path | None,
        typer.Option(
            "--json", help='A V2 request as JSON, {"inputs": [...]}; a file, or - for standard input.'
        ),
    ] = None,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Ask a model once and print its answer as V2 JSON.

    Without --data and --json, one row of zeros (or empty strings) is sent, in the shape that the model's
    metadata tell. Where the time of a cold call went is told on standard error.
    """
    if data is not None and body is not None:
        fail("give --data or --json, not both")
    run(_infer(name, data, body, address))


async def _infer(name: str, data: str | None, body: Path | None, address: str) -> None:
    async with MeshClient.connect(found(address)) as mesh:
        try:
            request = (
                infer_request(_read(body), json_length=None, model_name=name)
                if body is not None
                else _from_metadata(await mesh.metadata(ModelId(name)), name, data)
            )
        except BadTensorJson as error:
            fail(str(error))
        _show(request, await mesh.infer(request))


def _read(body: Path) -> bytes:
    if str(body) == "-":
        return sys.stdin.buffer.read()
    try:
        return body.read_bytes()
    except OSError as error:
        fail(f"{body} cannot be read: {error.strerror}")


def _from_metadata(told: v2.ModelMetadataResponse, name: str, data: str | None) -> v2.ModelInferRequest:
    """A request made of what the model says of its inputs. Raises `BadTensorJson`."""
    if not told.inputs:
        raise BadTensorJson(f"{name} does not tell its inputs; give the request with --json")
    if data is not None:
        instances = b'{"instances": ' + data.encode() + b"}"
        inputs = [(tensor.name, tensor.datatype, tuple(tensor.shape)) for tensor in told.inputs]
        return v1_request(instances, model_name=name, inputs=inputs)
    document = {"inputs": [_blank(tensor) for tensor in told.inputs]}
    return infer_request(json.dumps(document).encode(), json_length=None, model_name=name)


def _blank(tensor: v2.ModelMetadataResponse.TensorMetadata) -> dict[str, object]:
    shape = [length if length > 0 else 1 for length in tensor.shape]
    blank: object = "" if datatype_named(tensor.datatype).is_bytes else 0
    return {
        "name": tensor.name,
        "datatype": tensor.datatype,
        "shape": shape,
        "data": [blank] * element_count(shape),
    }


def _show(request: v2.ModelInferRequest, answer: Answer) -> None:
    if answer.timings_ms:
        steps = ", ".join(f"{step} {ms:.1f} ms" for step, ms in answer.timings_ms.items())
        typer.echo(f"the model was cold: {steps}", err=True)
    response, _ = infer_response(answer.response, binary=binary_choice(request))
    typer.echo(response.decode())
