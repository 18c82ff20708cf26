"""Conditions of an object, ours among those of others, with the time of their last change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapter.controller.statuses import times
from adapter.controller.statuses.standing import Observed, Standing
from adapter.controller.statuses.wording import explained

READY: Final = "Ready"
PREDICTOR_READY: Final = "PredictorReady"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing that holds, or why it does not."""

    type: str
    holds: bool
    reason: str = ""
    message: str = ""


def readiness(type_: str, standing: Standing, observed: Observed) -> Condition:
    """Whether the model can be asked."""
    if standing.available:
        return Condition(type=type_, holds=True)
    failure = standing.failure
    reason = failure.reason if failure is not None else standing.active.value
    return Condition(type=type_, holds=False, reason=reason, message=explained(standing, observed))


def merged(before: object, ours: Sequence[Condition], *, now_ms: int) -> list[Mapping[str, object]]:
    """All conditions: those of others as they are, at their places, and ours as they are now."""
    listed = [dict(each) for each in before if isinstance(each, Mapping)] if isinstance(before, list) else []
    wanted = {each.type: each for each in ours}
    result: list[Mapping[str, object]] = []
    for there in listed:
        type_ = there.get("type")
        if not isinstance(type_, str) or type_ not in {each.type for each in ours}:
            result.append(there)
        elif (condition := wanted.pop(type_, None)) is not None:  # a second one of a type goes
            result.append(_rendered(condition, there, now_ms))
    result.extend(_rendered(condition, {}, now_ms) for condition in wanted.values())
    return result


def _rendered(condition: Condition, before: Mapping[str, object], now_ms: int) -> Mapping[str, object]:
    status = "True" if condition.holds else "False"
    since = before.get("lastTransitionTime") if before.get("status") == status else None
    rendered: dict[str, object] = {
        "type": condition.type,
        "status": status,
        "lastTransitionTime": since or times.written(now_ms),
    }
    if condition.reason:
        rendered["reason"] = condition.reason
    if condition.message:
        rendered["message"] = condition.message
    return rendered
