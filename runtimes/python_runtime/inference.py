"""The path of a request, from message to message. gRPC and REST share it."""

from collections.abc import Mapping
from typing import Any

from adapter.stubs.inference.open_inference_pb2 import (
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataResponse,
)
from runtimes.python_runtime.admission import Admission, Caller
from runtimes.python_runtime.errors import BadRequest, ModelFailed, RuntimeFault
from runtimes.python_runtime.repository import Loaded, Repository
from runtimes.python_runtime.signature import Arrays
from runtimes.python_runtime.tensors import add_outputs, inputs_of


class Inference:
    """Asks loaded models."""

    def __init__(self, repository: Repository, admission: Admission) -> None:
        self._repository = repository
        self._admission = admission

    def infer(self, request: ModelInferRequest, caller: Caller) -> ModelInferResponse:
        """The answer. Raises `RuntimeFault`s only."""
        name, version = request.model_name, request.model_version
        loaded = self._repository.require(name, version)
        wanted = tuple(output.name for output in request.outputs)
        inputs = inputs_of(request)
        signature = loaded.model.signature
        signature.check_inputs(inputs)
        signature.check_outputs(wanted)
        with self._admission.admitted(name, caller, alone=loaded.batcher is None):
            # Once more: an unload waits for those who were admitted, and none must come after it.
            loaded = self._repository.require(name, version)
            outputs = _asked(loaded, inputs, wanted)
        response = ModelInferResponse(model_name=name, model_version=loaded.version, id=request.id)
        add_outputs(response, outputs, raw=bool(request.raw_input_contents))
        return response

    def metadata(self, name: str, version: str = "") -> ModelMetadataResponse:
        """What the model takes and gives; raises `NotLoaded`."""
        loaded = self._repository.require(name, version)
        response = ModelMetadataResponse(
            name=name,
            versions=[loaded.version] if loaded.version else [],
            platform=loaded.flavour.platform,
            properties={"size_bytes": str(loaded.size_bytes)},
        )
        signature = loaded.model.signature
        for specs, tensors in ((signature.inputs, response.inputs), (signature.outputs, response.outputs)):
            for spec in specs:
                tensors.add(name=spec.name, datatype=spec.datatype, shape=spec.shape)
        return response


def _asked(loaded: Loaded, inputs: Arrays, wanted: tuple[str, ...]) -> Mapping[str, Any]:
    """Ask the model, with every error as one of ours: a wrong value is the caller's, the rest the model's."""
    run = loaded.batcher.run if loaded.batcher is not None else loaded.model.run
    try:
        return run(inputs, wanted)
    except RuntimeFault:
        raise
    except (ValueError, TypeError) as error:
        raise BadRequest(f"Model {loaded.name} refuses the request: {error}") from error
    except Exception as error:
        raise ModelFailed(f"Model {loaded.name} failed: {type(error).__name__}: {error}") from error
