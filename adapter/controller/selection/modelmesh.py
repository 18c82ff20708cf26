"""ModelMesh's choice: any number of runtimes that have the labels of the model's type; the mesh places it.

Reference: serving controller 2.1. With an explicit runtime neither format nor protocol is checked. Ours:
where runtimes that support the model give its format a priority, only those with the highest are chosen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from adapter.controller.selection import refusals as because
from adapter.controller.selection.constraints import highest_priority
from adapter.controller.selection.formats import priority
from adapter.controller.selection.labels import model_type, protocol_label, runtime_labels, supports
from adapter.controller.verdicts import Chosen, NoRuntime, Refusal, Selection
from adapter.domain.specs import FailureReason, ModelSpec, RuntimeSpec

NOT_RECOGNIZED: Final = "Specified runtime name not recognized"
NOT_SUPPORTED: Final = "No ServingRuntime supports specified model type and/or protocol"

_REMEMBERED_MAX: Final = 1_000
"""Types whose verdict is kept; a namespace has few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    runtime: RuntimeSpec
    labels: frozenset[str]


class ModelMeshSelector:
    """Chooses among the runtimes of one namespace (`Visible.multi_model`), for any number of models.

    Models of one type share their verdict, so it is made once: a namespace has many models and few types.
    """

    def __init__(self, runtimes: Iterable[RuntimeSpec], *, rest_enabled: bool) -> None:
        self._offers = [
            _Offer(runtime=runtime, labels=frozenset(runtime_labels(runtime, rest_enabled=rest_enabled)))
            for runtime in sorted(runtimes, key=lambda runtime: runtime.name)
        ]
        self._verdicts: dict[str, Selection] = {}

    def select(self, model: ModelSpec) -> Selection:
        """The runtimes that serve it, by name, and why not the others."""
        type_ = model_type(model)
        verdict = self._verdicts.get(type_)
        if verdict is None:
            if len(self._verdicts) >= _REMEMBERED_MAX:
                self._verdicts.clear()
            verdict = self._verdicts[type_] = _decide(model, type_, self._offers)
        return verdict


def select(model: ModelSpec, runtimes: Iterable[RuntimeSpec], *, rest_enabled: bool) -> Selection:
    """The same for one model."""
    return ModelMeshSelector(runtimes, rest_enabled=rest_enabled).select(model)


def _decide(model: ModelSpec, type_: str, offers: Sequence[_Offer]) -> Selection:
    able = {
        offer.runtime.name: offer.runtime
        for offer in offers
        if _may_run(offer) and supports(offer.labels, type_)
    }
    highest = None if model.runtime else highest_priority(able.values(), model.format.name)
    chosen, refused = list[RuntimeSpec](), list[Refusal]()
    for offer in offers:
        runtime, own = offer.runtime, priority(offer.runtime, model.format.name)
        if runtime.name not in able:
            refused.append(Refusal(runtime=runtime.name, because=_why_not(offer, model)))
        elif highest is not None and own != highest:
            refused.append(Refusal(runtime=runtime.name, because=because.outdone(own, highest)))
        else:
            chosen.append(runtime)
    if chosen:
        return Chosen(runtimes=tuple(chosen), type=type_, refusals=tuple(refused))
    reason, message = (
        (FailureReason.RUNTIME_NOT_RECOGNIZED, NOT_RECOGNIZED)
        if model.runtime
        else (FailureReason.NO_SUPPORTING_RUNTIME, NOT_SUPPORTED)
    )
    return NoRuntime(type=type_, reason=reason, message=message, refusals=tuple(refused))


def _may_run(offer: _Offer) -> bool:
    return offer.runtime.multi_model and not offer.runtime.disabled


def _why_not(offer: _Offer, model: ModelSpec) -> str:
    """Everything that stands against it."""
    runtime = offer.runtime
    if model.runtime and runtime.name != model.runtime:
        return because.other_name(model)
    reasons = []
    if runtime.disabled:
        reasons.append(because.DISABLED)
    if not runtime.multi_model:
        reasons.append(because.wrong_mode(multi_model=True))
    if not model.runtime:
        reasons += filter(None, [because.wrong_format(runtime, model.format)])
        if model.protocol and not _speaks(runtime, offer.labels, model.protocol):
            reasons.append(because.wrong_protocol(runtime, model.protocol, is_default=False))
    return because.joined(reasons or [because.UNSPEAKABLE])


def _speaks(runtime: RuntimeSpec, labels: frozenset[str], protocol: str) -> bool:
    return protocol_label(protocol) in labels or protocol in runtime.protocols
