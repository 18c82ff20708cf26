"""ONNX, by onnxruntime.

What makes a session small (reference: components 8): it runs in the thread that asks, and so has no threads
of its own; it allocates by the process's one allocator, without an arena; it keeps no memory patterns; and
a small model is not optimised, since the optimised graph is kept beside what it was made from. Inputs and
outputs are the session's own, whatever the settings declare. Only tensors travel: where a classifier gives
maps (`ZipMap`), they are left out.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime

from runtimes.python_runtime.errors import Corrupt, ModelFailed, Unsupported
from runtimes.python_runtime.flavours.model import ModelSource
from runtimes.python_runtime.signature import Arrays, Matching, Signature, TensorSpec, interned
from runtimes.python_runtime.tensors import as_text

SMALL_BYTES = 256 * 1024
"""Up to this size of the file a graph is not optimised."""

PROVIDERS = ["CPUExecutionProvider"]

_TYPES = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}

onnxruntime.set_default_logger_severity(4)  # what goes wrong is told to the caller
onnxruntime.create_and_register_allocator(
    onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_DEVICE_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    ),
    None,
)


def _options(*, optimised: bool) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.add_session_config_entry("session.use_env_allocators", "1")
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
    return options


_OPTIONS = {optimised: _options(optimised=optimised) for optimised in (False, True)}


class OnnxModel:
    """One session."""

    __slots__ = ("_session", "signature")

    def __init__(self, session: Any, signature: Signature) -> None:
        self._session = session
        self.signature = signature

    def run(self, inputs: Arrays, outputs: tuple[str, ...]) -> Mapping[str, Any]:
        names = outputs or tuple(spec.name for spec in self.signature.outputs)
        feeds = {name: as_text(name, array) for name, array in inputs.items()}
        try:
            return dict(zip(names, self._session.run(names, feeds), strict=True))
        except onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument as error:
            raise ValueError(str(error)) from error


def load(source: ModelSource) -> OnnxModel:
    """The model in a file, with what it refers to beside it. Raises `Corrupt` or `Unsupported`."""
    states = onnxruntime.capi.onnxruntime_pybind11_state
    options = _OPTIONS[Path(source.path).stat().st_size > SMALL_BYTES]
    try:
        session = onnxruntime.InferenceSession(source.path, options, providers=PROVIDERS)
    except (states.NotImplemented, states.NoModel) as error:
        raise Unsupported(f"{source.path}: {error}") from error
    except (states.InvalidProtobuf, states.InvalidGraph, states.InvalidArgument, states.Fail) as error:
        raise Corrupt(f"{source.path} cannot be read: {error}") from error
    except states.RuntimeException as error:
        raise ModelFailed(f"{source.path}: {error}") from error
    return OnnxModel(session, _signature_of(session, source))


def _signature_of(session: Any, source: ModelSource) -> Signature:
    inputs = [_spec(value) for value in session.get_inputs()]
    outputs = [_spec(value) for value in session.get_outputs()]
    untold = [value.type for value, spec in zip(session.get_inputs(), inputs, strict=True) if spec is None]
    if untold or not any(outputs):
        raise Unsupported(f"{source.path}: {untold or 'none of its outputs'} can travel as tensors")
    return interned(
        Signature(
            inputs=tuple(spec for spec in inputs if spec),
            outputs=tuple(spec for spec in outputs if spec),
            matching=Matching.BY_NAME,
        )
    )


def _spec(value: Any) -> TensorSpec | None:
    """None for what is no tensor of a datatype of the protocol."""
    datatype = _TYPES.get(value.type)
    if datatype is None:
        return None
    # A length may have a name, or none, when any will do.
    shape = tuple(length if isinstance(length, int) else -1 for length in value.shape or ())
    return TensorSpec(name=value.name, datatype=datatype, shape=shape)
