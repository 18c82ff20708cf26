"""KServe's choice of one runtime for one model (reference: KServe 1), the same each time that it is made.

The namespace's own runtimes come before the cluster's, whatever their priority. In each of the two: by the
priority for the model's format, then the lowest protocol, then the newest, then by name. KServe up to 0.20
broke ties of priority by chance.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from adapter.controller.manifests.annotations import SERVER_TYPE
from adapter.controller.selection import refusals as because
from adapter.controller.selection.formats import priority
from adapter.controller.selection.labels import model_type, runtime_label
from adapter.controller.selection.scopes import Visible
from adapter.controller.verdicts import Chosen, NoRuntime, Refusal, Selection
from adapter.domain.specs import FailureReason, ModelSpec, RuntimeSpec

DEFAULT_PROTOCOL: Final = "v1"

NOT_FOUND: Final = "Waiting for runtime to become available"
IS_DISABLED: Final = "Specified runtime is disabled"
PROTOCOL_UNSUPPORTED: Final = "Specified runtime does not support specified protocol version"
FORMAT_UNSUPPORTED: Final = "Specified runtime does not support specified framework/version"
NONE_SUPPORTS: Final = "No runtime found to support specified framework/version"

_RANKS: Final = {"v1": 1, "v2": 2, "grpc-v1": 3, "grpc-v2": 4}
_RANK_UNKNOWN: Final = 5
_RANK_ANY: Final = 6
"""Of a runtime that lists no protocols."""

_BUILT_IN: Final = {
    "kserve-mlserver": "mlserver",
    "kserve-torchserve": "torchserve",
    "kserve-tritonserver": "tritonserver",
}
_PROTOCOL_OF_SERVER: Final = {"mlserver": "v2", "tritonserver": "v2", "torchserve": "v1"}


def select(model: ModelSpec, visible: Visible) -> Selection:
    """The runtimes that may serve it, of which the first does, and why not the others."""
    if model.runtime:
        return _named(model, visible)
    supporting = supporting_runtimes(model, visible)
    refused = _refusals(visible.all, lambda runtime: because.joined(why_not(runtime, model)))
    if supporting:
        return Chosen(runtimes=supporting, type=runtime_label(supporting[0].name), refusals=refused)
    reason = FailureReason.NO_SUPPORTING_RUNTIME
    return NoRuntime(type=model_type(model), reason=reason, message=NONE_SUPPORTS, refusals=refused)


def supporting_runtimes(
    model: ModelSpec, visible: Visible, *, multi_model: bool = False
) -> tuple[RuntimeSpec, ...]:
    """Those that may be chosen for a model that names none, the best first."""
    return tuple(
        runtime
        for scope in (visible.own, visible.cluster)
        for runtime in _in_order(scope, model.format.name)
        if not why_not(runtime, model, multi_model=multi_model)
    )


def why_not(runtime: RuntimeSpec, model: ModelSpec, *, multi_model: bool = False) -> list[str]:
    """Everything that stands against choosing a runtime for a model that names none; nothing: it may be."""
    reasons = []
    if runtime.disabled:
        reasons.append(because.DISABLED)
    if runtime.multi_model is not multi_model:
        reasons.append(because.wrong_mode(multi_model=multi_model))
    if runtime.multi_node is not model.multi_node:
        reasons.append(because.wrong_nodes(runtime))
    reasons += filter(None, [because.wrong_format(runtime, model.format)])
    protocol = asked_protocol(model)
    if not speaks(runtime, protocol):
        reasons.append(because.wrong_protocol(runtime, protocol, is_default=not model.protocol))
    return reasons


def asked_protocol(model: ModelSpec) -> str:
    """The protocol that runtimes are chosen by."""
    return model.protocol or DEFAULT_PROTOCOL


def speaks(runtime: RuntimeSpec, protocol: str) -> bool:
    """A runtime that lists no protocols speaks each, and each runtime speaks none in particular."""
    return not protocol or not runtime.protocols or protocol in runtime.protocols


def spoken_protocol(model: ModelSpec, runtime: RuntimeSpec) -> str:
    """What the model is served by in the end: its own, the server's usual one, or the runtime's lowest.

    Empty: neither says.
    """
    if model.protocol:
        return model.protocol
    server = runtime.identity.annotations.get(SERVER_TYPE) or _BUILT_IN.get(runtime.name, "")
    return _PROTOCOL_OF_SERVER.get(server) or min(runtime.protocols, key=_rank, default="")


def _named(model: ModelSpec, visible: Visible) -> Selection:
    """The model names its runtime: only that may be disabled, or the wrong one, is left to see."""
    runtime = visible.named(model.runtime or "")
    others = _refusals(
        visible.all, lambda each: "" if each.name == model.runtime else because.other_name(model)
    )
    type_ = model_type(model)
    if runtime is None:
        reason = FailureReason.RUNTIME_NOT_RECOGNIZED
        return NoRuntime(type=type_, reason=reason, message=NOT_FOUND, refusals=others)
    against = _against_named(runtime, model)
    if against is None:
        return Chosen(runtimes=(runtime,), type=type_, refusals=others)
    reason, message, why = against
    refused = (Refusal(runtime=runtime.name, because=why), *others)
    return NoRuntime(type=type_, reason=reason, message=message, refusals=refused)


def _against_named(runtime: RuntimeSpec, model: ModelSpec) -> tuple[FailureReason, str, str] | None:
    """The first thing that stands against it, in KServe's order; neither its mode nor its nodes count."""
    if runtime.disabled:
        return FailureReason.RUNTIME_DISABLED, IS_DISABLED, because.DISABLED
    if model.protocol and not speaks(runtime, model.protocol):
        why = because.wrong_protocol(runtime, model.protocol, is_default=False)
        return FailureReason.NO_SUPPORTING_RUNTIME, PROTOCOL_UNSUPPORTED, why
    why = because.wrong_format_named(runtime, model.format)
    return (FailureReason.NO_SUPPORTING_RUNTIME, FORMAT_UNSUPPORTED, why) if why else None


def _refusals(runtimes: Sequence[RuntimeSpec], why: Callable[[RuntimeSpec], str]) -> tuple[Refusal, ...]:
    told = ((runtime.name, why(runtime)) for runtime in sorted(runtimes, key=lambda each: each.name))
    return tuple(Refusal(runtime=name, because=reason) for name, reason in told if reason)


def _in_order(runtimes: Iterable[RuntimeSpec], name: str) -> list[RuntimeSpec]:
    """The best for this format first; each sort keeps the order that the ones before it made."""
    ordered = sorted(runtimes, key=lambda runtime: runtime.name)
    ordered.sort(key=lambda runtime: runtime.identity.created, reverse=True)
    ordered.sort(key=lambda runtime: min(map(_rank, runtime.protocols), default=_RANK_ANY))
    ordered.sort(key=lambda runtime: priority(runtime, name) or 0, reverse=True)
    return ordered


def _rank(protocol: str) -> int:
    return _RANKS.get(protocol, _RANK_UNKNOWN)
