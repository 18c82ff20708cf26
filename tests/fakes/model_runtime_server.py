"""A runtime that implements `mmesh.ModelRuntime` itself, as custom runtimes of ModelMesh do.

It behaves like ModelMesh's example runtime (reference: ModelMesh core 9.2), but without chance: a path
`SIZE_<bytes>_<loadMs>_<unloadMs>` sets size and times, a path `FAIL_<message>` fails the first load of that
model. Inference is V2's `ModelInfer`, which echoes its inputs, and `mmesh.ExamplePredictor/predict`.
`RepositoryIndex` tells what it holds, and in `reason` how often each model was loaded and unloaded.

    python -m tests.fakes.model_runtime_server --port 8085
"""

import argparse
import asyncio
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc

from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.stubs.inference import open_inference_pb2_grpc as v2_grpc
from adapter.stubs.mmesh import model_runtime_pb2 as spi
from adapter.stubs.mmesh import model_runtime_pb2_grpc as spi_grpc
from tests.fakes.example_predictor import PREDICT, PredictRequest, PredictResponse

MIB = 1 << 20
_SIZED = re.compile(r"SIZE_(\d+)_(\d+)_(\d+)")


@dataclass(slots=True, kw_only=True)
class ExampleRuntime:
    """What it holds, and how it behaves."""

    capacity_bytes: int = 1024 * MIB
    default_model_bytes: int = 50 * MIB
    loading_concurrency: int = 6
    loading_timeout_ms: int = 90_000
    methods: Mapping[str, Sequence[int]] = field(default_factory=dict)
    tells_size_at_load: bool = False

    status: int = spi.RuntimeStatusResponse.READY
    held: dict[str, int] = field(default_factory=dict)
    """By model, its size in bytes."""
    loads: Counter[str] = field(default_factory=Counter)
    unloads: Counter[str] = field(default_factory=Counter)
    received: list[spi.LoadModelRequest] = field(default_factory=list)
    predictions_asked: int = 0
    _paths: dict[str, str] = field(default_factory=dict)

    async def load(self, request: spi.LoadModelRequest, context: Any) -> int:
        """The size of the model, in bytes."""
        self.received.append(request)
        model, path = request.modelId, request.modelPath
        told = path.partition("FAIL_")[2]
        if told and self._paths.get(model) != path:
            self._paths[model] = path
            await context.abort(grpc.StatusCode.INTERNAL, told)
        size_bytes, load_ms, _ = _figures(path)
        await asyncio.sleep(load_ms / 1000)
        self._paths[model] = path
        self.held[model] = size_bytes or self.default_model_bytes
        self.loads[model] += 1
        return self.held[model]

    async def unload(self, model: str) -> None:
        *_, unload_ms = _figures(self._paths.get(model, ""))
        await asyncio.sleep(unload_ms / 1000)
        if self.held.pop(model, None) is not None:
            self.unloads[model] += 1

    async def named(self, context: Any, in_message: str) -> str:
        """The model that a call is for, which must be held: by the header, else by the message."""
        headers = dict(context.invocation_metadata())
        model = str(headers.get("mm-model-id", in_message))
        if model not in self.held:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"model {model!r} is not loaded")
        return model


def _figures(path: str) -> tuple[int, int, int]:
    """Size in bytes, and the milliseconds that loading and unloading take."""
    found = _SIZED.search(path)
    return (int(found[1]), int(found[2]), int(found[3])) if found else (0, 0, 0)


class _ModelRuntime(spi_grpc.ModelRuntimeServicer):
    def __init__(self, runtime: ExampleRuntime) -> None:
        self._runtime = runtime

    async def runtimeStatus(self, request: Any, context: Any) -> spi.RuntimeStatusResponse:  # noqa: N802
        runtime = self._runtime
        answer = spi.RuntimeStatusResponse(
            capacityInBytes=runtime.capacity_bytes,
            maxLoadingConcurrency=runtime.loading_concurrency,
            modelLoadingTimeoutMs=runtime.loading_timeout_ms,
            defaultModelSizeInBytes=runtime.default_model_bytes,
            runtimeVersion="example",
        )
        answer.status = runtime.status  # type: ignore[assignment]  # also numbers that the enum does not have
        for name, path in runtime.methods.items():
            answer.methodInfos[name].idInjectionPath.extend(path)
        if runtime.status == spi.RuntimeStatusResponse.READY:
            runtime.held.clear()
        return answer

    async def loadModel(self, request: spi.LoadModelRequest, context: Any) -> spi.LoadModelResponse:  # noqa: N802
        size_bytes = await self._runtime.load(request, context)
        return spi.LoadModelResponse(sizeInBytes=size_bytes if self._runtime.tells_size_at_load else 0)

    async def unloadModel(self, request: spi.UnloadModelRequest, context: Any) -> spi.UnloadModelResponse:  # noqa: N802
        await self._runtime.unload(request.modelId)
        return spi.UnloadModelResponse()

    async def predictModelSize(self, request: Any, context: Any) -> NoReturn:  # noqa: N802
        self._runtime.predictions_asked += 1
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "sizes are not predicted here")
        raise AssertionError

    async def modelSize(self, request: spi.ModelSizeRequest, context: Any) -> spi.ModelSizeResponse:  # noqa: N802
        if request.modelId not in self._runtime.held:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"model {request.modelId!r} is not loaded")
        return spi.ModelSizeResponse(sizeInBytes=self._runtime.held[request.modelId])


class _Inference(v2_grpc.GRPCInferenceServiceServicer):
    def __init__(self, runtime: ExampleRuntime) -> None:
        self._runtime = runtime

    async def ServerLive(self, request: Any, context: Any) -> v2.ServerLiveResponse:  # noqa: N802
        return v2.ServerLiveResponse(live=True)

    async def ServerMetadata(self, request: Any, context: Any) -> v2.ServerMetadataResponse:  # noqa: N802
        return v2.ServerMetadataResponse(name="example")

    async def ServerReady(self, request: Any, context: Any) -> v2.ServerReadyResponse:  # noqa: N802
        return v2.ServerReadyResponse(ready=True)

    async def ModelReady(self, request: v2.ModelReadyRequest, context: Any) -> v2.ModelReadyResponse:  # noqa: N802
        return v2.ModelReadyResponse(ready=request.name in self._runtime.held)

    async def ModelMetadata(  # noqa: N802
        self, request: v2.ModelMetadataRequest, context: Any
    ) -> v2.ModelMetadataResponse:
        return v2.ModelMetadataResponse(name=await self._runtime.named(context, request.name))

    async def ModelInfer(self, request: v2.ModelInferRequest, context: Any) -> v2.ModelInferResponse:  # noqa: N802
        model = await self._runtime.named(context, request.model_name)
        answer = v2.ModelInferResponse(
            model_name=model, id=request.id, raw_output_contents=request.raw_input_contents
        )
        for tensor in request.inputs:
            answer.outputs.add(
                name=tensor.name,
                datatype=tensor.datatype,
                shape=tensor.shape,
                contents=tensor.contents if tensor.HasField("contents") else None,
            )
        return answer

    async def RepositoryModelLoad(self, request: Any, context: Any) -> NoReturn:  # noqa: N802
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "models are loaded through mmesh.ModelRuntime")
        raise AssertionError

    async def RepositoryModelUnload(self, request: Any, context: Any) -> NoReturn:  # noqa: N802
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "models are unloaded through mmesh.ModelRuntime")
        raise AssertionError

    async def RepositoryIndex(self, request: Any, context: Any) -> v2.RepositoryIndexResponse:  # noqa: N802
        runtime = self._runtime
        known = sorted(runtime.held.keys() | runtime.loads.keys())
        return v2.RepositoryIndexResponse(
            models=[
                v2.RepositoryIndexResponse.ModelIndex(
                    name=model,
                    state="READY" if model in runtime.held else "UNAVAILABLE",
                    reason=f"loads={runtime.loads[model]} unloads={runtime.unloads[model]}",
                )
                for model in known
                if model in runtime.held or not request.ready
            ]
        )


def _predictor(runtime: ExampleRuntime) -> grpc.GenericRpcHandler:
    async def predict(request: Any, context: Any) -> Any:
        model = await runtime.named(context, request.modelName)
        if request.text == "test:purge-models":
            runtime.held.clear()
        answer = PredictResponse()
        answer.results.add(category=f"classification for {request.text} by model {model}", confidence=1.0)
        answer.results.add(category=request.modelName, confidence=1.0)
        return answer

    service, method = PREDICT[1:].split("/")
    handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(
        predict,
        request_deserializer=PredictRequest.FromString,
        response_serializer=lambda answer: answer.SerializeToString(),
    )
    return grpc.method_handlers_generic_handler(service, {method: handler})


@asynccontextmanager
async def serving(runtime: ExampleRuntime, *, address: str = "127.0.0.1:0") -> AsyncIterator[str]:
    """Serve for as long as the block lasts; gives the address, `127.0.0.1:port` or `unix:path`."""
    server = grpc.aio.server()
    spi_grpc.add_ModelRuntimeServicer_to_server(_ModelRuntime(runtime), server)
    v2_grpc.add_GRPCInferenceServiceServicer_to_server(_Inference(runtime), server)
    server.add_generic_rpc_handlers((_predictor(runtime),))
    port = server.add_insecure_port(address)
    await server.start()
    try:
        yield address if address.startswith("unix:") else f"127.0.0.1:{port}"
    finally:
        await server.stop(grace=None)


def _methods(text: str) -> dict[str, list[int]]:
    """`method=1,2;method=` as ModelMesh's RS_METHOD_INFOS has it."""
    pairs = (each.partition("=") for each in text.split(";") if each)
    return {name: [int(number) for number in path.split(",") if number] for name, _, path in pairs}


async def _main() -> NoReturn:
    parser = argparse.ArgumentParser(description="A runtime that implements mmesh.ModelRuntime itself.")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--port", type=int)
    place.add_argument("--socket", metavar="PATH")
    parser.add_argument("--capacity-bytes", type=int, default=1024 * MIB)
    parser.add_argument("--methods", type=_methods, default={}, help="the methods it names, `a.B/C=1;a.B/D=`")
    asked = parser.parse_args()
    runtime = ExampleRuntime(capacity_bytes=asked.capacity_bytes, methods=asked.methods)
    address = f"unix:{asked.socket}" if asked.socket else f"127.0.0.1:{asked.port}"
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with serving(runtime, address=address):
        await ended.wait()
    raise SystemExit


if __name__ == "__main__":
    asyncio.run(_main())
