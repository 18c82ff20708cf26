"""MLServer, whose codes were found out with a real one of 1.7.1 (reference: components 4)."""

import json
from collections.abc import Callable

import grpc

from adapter.domain.errors import AdapterError, FormatUnsupported, ModelCorrupt, ObjectMissing
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.drivers.open_inference import Dialect, LoadRefusal, OpenInferenceDriver, RuntimeLimits
from adapter.layout.mlserver import IMPLEMENTATIONS
from adapter.layout.model_type import layout_type


def mlserver_driver(
    channel: grpc.aio.Channel, *, limits: RuntimeLimits, name: Callable[[ModelId], str] = str
) -> OpenInferenceDriver:
    """A driver of the MLServer behind this channel, which was started without models of its own."""
    return OpenInferenceDriver(channel, dialect=DIALECT, limits=limits, name=name)


def _refused(refusal: LoadRefusal) -> AdapterError | None:
    model, text = refusal.model, refusal.text
    match refusal.code:
        case grpc.StatusCode.NOT_FOUND if (kind := _kind(refusal.info)) not in IMPLEMENTATIONS:
            # Settings that name no implementation are passed over, as if there were none.
            return FormatUnsupported(
                f"MLServer has no implementation for {model}, whose type is {kind!r}; "
                f"it loads {', '.join(sorted(IMPLEMENTATIONS))}"
            )
        case grpc.StatusCode.NOT_FOUND:
            return ObjectMissing(
                f"MLServer finds no folder with usable settings for {model}; "
                "is its models folder the one that this adapter fills?"
            )
        case grpc.StatusCode.FAILED_PRECONDITION:
            return ObjectMissing(f"MLServer does not find the files of {model}: {text}")
        case grpc.StatusCode.INTERNAL if text.startswith("No module named"):
            return FormatUnsupported(f"MLServer lacks what {model} needs: {text}")
        case grpc.StatusCode.INTERNAL:
            return ModelCorrupt(
                f"MLServer cannot read {model}; its file is damaged or of another format: {text}"
            )
        case _:
            return None


def _kind(info: ModelInfo) -> str:
    try:
        key = json.loads(info.key)
    except ValueError:
        key = None
    return layout_type(key.get("model_type") if isinstance(key, dict) else None, info.type)


DIALECT = Dialect(
    server="MLServer",
    refused=_refused,
    unload_forgives=frozenset({grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}),
)
