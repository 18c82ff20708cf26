"""REST: V2 with the repository and binary tensor extensions, and V1 (reference: KServe 4.1, 4.3, 4.4).

Whether a body is JSON or binary is told by `Inference-Header-Content-Length`, never by the content type,
since clients disagree about that. Every error is `{"error": text}` with a status of its own. Parsing and
the model run in the pool's threads; the event loop only carries bytes.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapter.wire.v2_json import (
    BadTensorJson,
    binary_choice,
    infer_request,
    infer_response,
    metadata_json,
    v1_request,
    v1_response,
)
from runtimes.python_runtime.admission import PatientCaller
from runtimes.python_runtime.errors import BadRequest, RuntimeFault, TooBusy
from runtimes.python_runtime.http_body import LENGTH_HEADER, json_length_of, read_body
from runtimes.python_runtime.inference import Inference
from runtimes.python_runtime.options import Options
from runtimes.python_runtime.repository import Repository
from runtimes.python_runtime.server import SIZE_KEY, index, server_metadata

T = TypeVar("T")
Endpoint = Callable[[Request], Awaitable[Response]]

PATIENT = PatientCaller()


class Rest:
    """The endpoints."""

    def __init__(
        self, repository: Repository, inference: Inference, *, options: Options, pool: ThreadPoolExecutor
    ) -> None:
        self._repository = repository
        self._inference = inference
        self._pool = pool
        self._body_bytes_max = options.message_bytes_max
        self._running_max = options.requests_max
        self._running = 0

    def app(self) -> Starlette:
        """The application, with every route and every kind of error."""
        return Starlette(
            routes=[
                Route("/", self.alive),
                Route("/v2", self.server),
                Route("/v2/", self.server),
                Route("/v2/health/{kind:str}", self.health),
                Route("/v2/models", self.names),
                *_of_model("", self.metadata),
                *_of_model("/ready", self.ready),
                *_of_model("/infer", self.infer, method="POST"),
                Route("/v2/repository/index", self.index, methods=["POST"]),
                Route("/v2/repository/models/{model}/load", self.load, methods=["POST"]),
                Route("/v2/repository/models/{model}/unload", self.unload, methods=["POST"]),
                Route("/v1/models", self.names),
                Route("/v1/models/{model}:predict", self.predict, methods=["POST"]),
                Route("/v1/models/{model}", self.ready_v1),
            ],
            exception_handlers={
                RuntimeFault: _fault,
                BadTensorJson: _bad_json,
                HTTPException: _http_error,
                Exception: _failure,
            },
        )

    async def alive(self, _: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def health(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        if kind not in ("live", "ready"):
            raise HTTPException(404)
        return JSONResponse({kind: True})

    async def server(self, _: Request) -> Response:
        told = server_metadata()
        return JSONResponse({"name": told.name, "version": told.version, "extensions": list(told.extensions)})

    async def names(self, _: Request) -> Response:
        return JSONResponse({"models": [loaded.name for loaded in self._repository.loaded()]})

    async def metadata(self, request: Request) -> Response:
        return _json(metadata_json(self._inference.metadata(*_model(request))))

    async def ready(self, request: Request) -> Response:
        name, version = _model(request)
        self._repository.require(name, version)
        return JSONResponse({"name": name, "ready": True})

    async def ready_v1(self, request: Request) -> Response:
        name = request.path_params["model"]
        if self._repository.get(name) is None:
            return JSONResponse({"name": name, "ready": False, "error": f"Model {name} is not loaded"}, 503)
        return JSONResponse({"name": name, "ready": True})

    async def infer(self, request: Request) -> Response:
        name, version = _model(request)
        body = await read_body(request, bytes_max=self._body_bytes_max)
        json_length = json_length_of(request)

        def answer() -> tuple[bytes, int | None]:
            message = infer_request(body, json_length=json_length, model_name=name, model_version=version)
            response = self._inference.infer(message, PATIENT)
            return infer_response(response, binary=binary_choice(message))

        content, length = await self._in_thread(answer)
        if length is None:
            return _json(content)
        headers = {LENGTH_HEADER: str(length)}
        return Response(content, media_type="application/octet-stream", headers=headers)

    async def predict(self, request: Request) -> Response:
        name = request.path_params["model"]
        body = await read_body(request, bytes_max=self._body_bytes_max)
        inputs = [
            (spec.name, spec.datatype, spec.shape)
            for spec in self._repository.require(name).model.signature.inputs
        ]

        def answer() -> bytes:
            message = v1_request(body, model_name=name, inputs=inputs)
            return v1_response(self._inference.infer(message, PATIENT))

        return _json(await self._in_thread(answer))

    async def index(self, request: Request) -> Response:
        asked = await _asked(request, bytes_max=self._body_bytes_max)
        told = await self._in_thread(lambda: index(self._repository, only_ready=asked.get("ready") is True))
        return JSONResponse(
            [
                {"name": model.name, "version": model.version, "state": model.state, "reason": model.reason}
                for model in told.models
            ]
        )

    async def load(self, request: Request) -> Response:
        name = request.path_params["model"]
        loaded = await self._in_thread(lambda: self._repository.load(name, PATIENT))
        return JSONResponse({"name": name, "load": True}, headers={SIZE_KEY: str(loaded.size_bytes)})

    async def unload(self, request: Request) -> Response:
        name = request.path_params["model"]
        await self._in_thread(lambda: self._repository.unload(name))
        return JSONResponse({"name": name, "unload": True})

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._running >= self._running_max:
            raise TooBusy(f"{self._running} requests are here already; try again later")
        self._running += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._running -= 1


def _of_model(action: str, endpoint: Endpoint, *, method: str = "GET") -> list[Route]:
    """A route with and one without a version."""
    return [
        Route(f"/v2/models/{{model}}{action}", endpoint, methods=[method]),
        Route(f"/v2/models/{{model}}/versions/{{version}}{action}", endpoint, methods=[method]),
    ]


def _model(request: Request) -> tuple[str, str]:
    return request.path_params["model"], request.path_params.get("version", "")


async def _asked(request: Request, *, bytes_max: int) -> dict[str, Any]:
    """A small JSON object, which may be missing."""
    body = await read_body(request, bytes_max=bytes_max)
    try:
        asked = json.loads(body or b"{}")
    except ValueError as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    return asked if isinstance(asked, dict) else {}


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json")


async def _fault(_: Request, fault: Exception) -> Response:
    status = fault.http_status if isinstance(fault, RuntimeFault) else 500
    return JSONResponse({"error": str(fault)}, status)


async def _bad_json(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


async def _http_error(request: Request, error: Exception) -> Response:
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
    text = {404: "there is no such path", 405: "this path does not take this method"}.get(status, str(error))
    return JSONResponse({"error": f"{request.method} {request.url.path}: {text}"}, status, headers=headers)


async def _failure(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 500)
