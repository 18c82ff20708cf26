"""Labels of runtimes and types of models: how the mesh knows who may serve what.

Texts are ModelMesh's (reference: serving controller 2.1), who restarts a runtime's pods when its labels
change. So a runtime's labels follow from its own spec alone. `mp:` is ours: the priority that a runtime gives
a format, by which the constraints of a type can ask for the highest (`constraints`).
"""

from collections.abc import Iterator
from typing import Final

from adapter.controller.selection.formats import priority
from adapter.domain.specs import ModelFormat, ModelSpec, RuntimeSpec

RUNTIME_PREFIX: Final = "rt:"
TYPE_SEPARATOR: Final = "|"
LABEL_SEPARATOR: Final = ","
"""Of `MM_LABELS`; what has one in it cannot be said there."""


def runtime_label(name: str) -> str:
    """Of the runtime of this name, and no other."""
    return f"{RUNTIME_PREFIX}{name}"


def format_label(wanted: ModelFormat) -> str:
    """Of the runtimes that support a format."""
    return f"mt:{wanted.name}:{wanted.version}" if wanted.version else f"mt:{wanted.name}"


def protocol_label(protocol: str) -> str:
    """Of the runtimes that speak a protocol."""
    return f"pv:{protocol}"


def priority_label(number: int, name: str) -> str:
    """Of the runtimes that give a format this priority."""
    return f"mp:{number}:{name}"


def runtime_labels(runtime: RuntimeSpec, *, rest_enabled: bool) -> tuple[str, ...]:
    """`MM_LABELS` of its instances, sorted.

    A runtime that is not multi-model has its name only: no model that the mesh may place freely goes there.
    """
    labels = {runtime_label(runtime.name)}
    if runtime.multi_model:
        labels.update(format_labels(runtime), protocol_labels(runtime, rest_enabled=rest_enabled))
        labels.update(_priority_labels(runtime))
    return tuple(sorted(label for label in labels if LABEL_SEPARATOR not in label))


def format_labels(runtime: RuntimeSpec) -> Iterator[str]:
    """Of the formats that it may be chosen for without being named; some come twice."""
    for entry in runtime.formats:
        if entry.auto_select:
            yield format_label(ModelFormat(name=entry.name))
            yield format_label(ModelFormat(name=entry.name, version=entry.version))


def protocol_labels(runtime: RuntimeSpec, *, rest_enabled: bool) -> Iterator[str]:
    """Of the protocols that models may ask it for: REST V2 is served by the instance, over gRPC V2."""
    yield from map(protocol_label, runtime.protocols)
    if rest_enabled and "grpc-v2" in runtime.protocols:
        yield protocol_label("v2")


def _priority_labels(runtime: RuntimeSpec) -> Iterator[str]:
    for name in {entry.name for entry in runtime.formats if entry.auto_select}:
        number = priority(runtime, name)
        if number is not None:
            yield priority_label(number, name)


def model_type(model: ModelSpec) -> str:
    """The model's type in the mesh: the labels that a runtime must have to serve it."""
    if model.runtime:
        return runtime_label(model.runtime)
    parts = [format_label(model.format)]
    if model.protocol:
        parts.append(protocol_label(model.protocol))
    return TYPE_SEPARATOR.join(parts)


def supports(labels: frozenset[str], type_: str) -> bool:
    """Whether an instance with these labels may serve models of this type."""
    return labels.issuperset(type_.split(TYPE_SEPARATOR))
