"""The ConfigMap `tc-config`: which labels each type of model requires, and where a request names its model.

Members, their order and form are ModelMesh's (reference: serving controller 2.2). Where runtimes that support
a type give its format a priority, the type requires the label of the highest one too; labels of runtimes and
types of models stay as they are whatever other runtimes there are.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from adapter.controller.selection.formats import priority
from adapter.controller.selection.labels import (
    TYPE_SEPARATOR,
    format_label,
    priority_label,
    protocol_labels,
    runtime_label,
    runtime_labels,
    supports,
)
from adapter.domain.specs import ModelFormat, RuntimeSpec
from adapter.mesh.constraints import DEFAULT_TYPE

CONFIG_MAP: Final = "tc-config"
TYPE_CONSTRAINTS_KEY: Final = "type_constraints"
DATAPLANE_KEY: Final = "dataplane_api_config"

NO_RUNTIME: Final = "_no_runtime"
"""The label that no instance has: what types require that are not listed."""


def _named_by(*path: int) -> Mapping[str, object]:
    return {"idExtractionPath": list(path), "vModelId": True}


_DATAPLANE: Final = {
    "rpcConfigs": {
        "inference.GRPCInferenceService/ModelInfer": _named_by(1),
        "inference.GRPCInferenceService/ModelMetadata": _named_by(1),
        "org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions": _named_by(1),
        "tensorflow.serving.PredictionService/Predict": _named_by(1, 1),
    },
    "allowOtherRpcs": True,
}


def config_entries(runtimes: Iterable[RuntimeSpec], *, rest_enabled: bool) -> dict[str, bytes]:
    """The entries of the ConfigMap, for the runtimes that run in a namespace; disabled ones are passed over.

    The same runtimes give the same bytes, whatever their order.
    """
    types = required_labels(runtimes, rest_enabled=rest_enabled)
    constraints = {type_: {"required": list(labels)} for type_, labels in types.items()}
    return {TYPE_CONSTRAINTS_KEY: _json(constraints), DATAPLANE_KEY: _json(_DATAPLANE)}


def required_labels(runtimes: Iterable[RuntimeSpec], *, rest_enabled: bool) -> dict[str, tuple[str, ...]]:
    """Per type of model, the labels that an instance must have."""
    running = [runtime for runtime in runtimes if not runtime.disabled]
    labels = {
        runtime.identity.name: frozenset(runtime_labels(runtime, rest_enabled=rest_enabled))
        for runtime in running
    }
    required: dict[str, tuple[str, ...]] = {DEFAULT_TYPE: (NO_RUNTIME,)}
    for runtime in running:
        required[runtime_label(runtime.name)] = (runtime_label(runtime.name),)
        for type_, name in _types(runtime, rest_enabled=rest_enabled).items():
            if type_ not in required:
                able = [each for each in running if supports(labels[each.name], type_)]
                required[type_] = (*type_.split(TYPE_SEPARATOR), *_best(able, name))
    return required


def _types(runtime: RuntimeSpec, *, rest_enabled: bool) -> dict[str, str]:
    """The types that a multi-model runtime serves without being named, and the format's name of each."""
    if not runtime.multi_model:
        return {}
    protocols = [*protocol_labels(runtime, rest_enabled=rest_enabled)]
    types = {}
    for entry in runtime.formats:
        for version in {None, entry.version} if entry.auto_select else ():
            label = format_label(ModelFormat(name=entry.name, version=version))
            types[label] = entry.name
            types.update({f"{label}{TYPE_SEPARATOR}{protocol}": entry.name for protocol in protocols})
    return types


def _best(able: Sequence[RuntimeSpec], name: str) -> tuple[str, ...]:
    """The label of the highest priority that one of these gives the format; none, if none does."""
    highest = highest_priority(able, name)
    return () if highest is None else (priority_label(highest, name),)


def highest_priority(able: Iterable[RuntimeSpec], name: str) -> int | None:
    """Of those that these runtimes give a format; None: none does."""
    numbers = [priority(runtime, name) for runtime in able]
    return max((number for number in numbers if number is not None), default=None)


def _json(document: object) -> bytes:
    """Compact, and always in the same order."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
