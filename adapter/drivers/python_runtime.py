"""The in-house runtime, `runtimes/python_runtime`, which measures what it loads."""

from collections.abc import Callable

import grpc

from adapter.domain.errors import AdapterError, FormatUnsupported, ModelCorrupt, ObjectMissing
from adapter.domain.ids import ModelId
from adapter.drivers.open_inference import Dialect, LoadRefusal, OpenInferenceDriver, RuntimeLimits

_MEANINGS: dict[grpc.StatusCode, tuple[type[AdapterError], str]] = {
    grpc.StatusCode.NOT_FOUND: (ObjectMissing, "does not find the files of"),
    grpc.StatusCode.DATA_LOSS: (ModelCorrupt, "cannot read"),
    grpc.StatusCode.UNIMPLEMENTED: (FormatUnsupported, "cannot run"),
}


def python_runtime_driver(
    channel: grpc.aio.Channel, *, limits: RuntimeLimits, name: Callable[[ModelId], str] = str
) -> OpenInferenceDriver:
    """A driver of the in-house runtime behind this channel."""
    return OpenInferenceDriver(channel, dialect=DIALECT, limits=limits, name=name)


def _refused(refusal: LoadRefusal) -> AdapterError | None:
    if refusal.code not in _MEANINGS:
        return None
    error, deed = _MEANINGS[refusal.code]
    return error(f"the in-house runtime {deed} {refusal.model}: {refusal.text}")


DIALECT = Dialect(
    server="the in-house runtime",
    refused=_refused,
    unload_forgives=frozenset({grpc.StatusCode.NOT_FOUND}),
)
