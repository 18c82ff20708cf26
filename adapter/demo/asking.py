"""One example asked through the mesh, and its answer held against what the library itself says."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from adapter.demo.examples import Example
from adapter.domain.errors import AdapterError
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.peers.mesh_client import Answer, MeshClient
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.wire.v2_messages import output_values
from adapter.wire.v2_tensors import datatype_named

DATATYPES: Final = {"float32": "FP32", "float64": "FP64"}
INFER_S_MAX: Final = 120.0


class PredictionDiffers(AdapterError):
    """The mesh answered something else than the library itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one call brought, and how long it took as its caller saw it."""

    values: npt.NDArray[np.generic]
    took_ms: float
    timings_ms: dict[str, float]


async def register(mesh: MeshClient, example: Example, storage: Mapping[str, object]) -> None:
    """Register the example, as any client does: a type, a path, and a key that says where from."""
    key = {**storage, "model_type": {"name": example.format}}
    info = ModelInfo(type=example.format, path=example.path, key=json.dumps(key))
    await mesh.register(ModelId(example.name), info)


async def ask(mesh: MeshClient, example: Example, request: v2.ModelInferRequest) -> Asked:
    """Ask once. Raises `PredictionDiffers` if the library says otherwise."""
    began = time.perf_counter()
    answer = await mesh.infer(request, timeout_s=INFER_S_MAX)
    took_ms = (time.perf_counter() - began) * 1e3
    values = _values(answer)
    if not np.array_equal(values.reshape(example.expected.shape), example.expected):
        raise PredictionDiffers(
            f"{example.name} answers {values.tolist()}, its library {example.expected.tolist()}"
        )
    return Asked(values=values, took_ms=took_ms, timings_ms=dict(answer.timings_ms))


def request_for(example: Example) -> v2.ModelInferRequest:
    """The example's rows as one raw tensor."""
    request = v2.ModelInferRequest(model_name=example.name, raw_input_contents=[example.rows.tobytes()])
    datatype = DATATYPES[example.rows.dtype.name]
    request.inputs.add(name=example.input_name, datatype=datatype, shape=example.rows.shape)
    return request


def _values(answer: Answer) -> npt.NDArray[np.generic]:
    output = answer.response.outputs[0]
    return np.asarray(output_values(answer.response, 0, datatype_named(output.datatype)))
