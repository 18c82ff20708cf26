"""The webhook's rules for autoscaling, in ModelMesh's words (reference: serving controller 1.2)."""

import re
from typing import Final

from adapter.controller.manifests.annotations import (
    AUTOSCALER_CLASS,
    MAX_SCALE,
    METRICS,
    MIN_SCALE,
    TARGET_UTILIZATION,
    annotation,
)
from adapter.controller.manifests.complaints import Complaint, shown
from adapter.domain.specs import RuntimeSpec

HPA: Final = "hpa"
EXTERNAL: Final = "external"
METRICS_KNOWN: Final = ("cpu", "memory")
PERCENT_MAX: Final = 100
SCALE_DEFAULT: Final = 1

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,9}")


def autoscaling_complaints(runtime: RuntimeSpec) -> list[Complaint]:
    """What the webhook denies; nothing of what is not for many models."""
    if not runtime.multi_model:
        return []
    return [*_class(runtime), *_target(runtime), *(_scale(runtime) if _is_hpa(runtime) else ())]


def _is_hpa(runtime: RuntimeSpec) -> bool:
    return _told(runtime, AUTOSCALER_CLASS) == HPA


def _told(runtime: RuntimeSpec, name: str) -> str | None:
    return runtime.identity.annotations.get(name)


def _class(runtime: RuntimeSpec) -> list[Complaint]:
    told = _told(runtime, AUTOSCALER_CLASS)
    if told is None or told == HPA:
        return []
    if told == EXTERNAL:
        text = f"unknown autoscaler class [{told}]"
    else:
        text = f"[{shown(told)}] is not a supported autoscaler class type."
    return [Complaint(annotation(AUTOSCALER_CLASS), text)]


def _target(runtime: RuntimeSpec) -> list[Complaint]:
    told = _told(runtime, TARGET_UTILIZATION)
    if told is None:
        return []
    percent = _integer(told)
    if percent is not None and 1 <= percent <= PERCENT_MAX:
        return []
    text = f"must be a whole number from 1 to {PERCENT_MAX}, not '{shown(told)}'"
    return [Complaint(annotation(TARGET_UTILIZATION), text)]


def _scale(runtime: RuntimeSpec) -> list[Complaint]:
    found: list[Complaint] = []
    metric = _told(runtime, METRICS)
    if metric is not None and metric not in METRICS_KNOWN:
        found.append(Complaint(annotation(METRICS), f"[{shown(metric)}] is not a supported metric."))
    if runtime.replicas is not None:
        text = f"must not be set with the autoscaler class {HPA}; say {MIN_SCALE} and {MAX_SCALE}"
        found.append(Complaint("spec.replicas", text))
    least = _bound(runtime, MIN_SCALE, found)
    most = _bound(runtime, MAX_SCALE, found)
    if least is not None and least < 1:
        found.append(Complaint(annotation(MIN_SCALE), "must be at least 1"))
    elif least is not None and most is not None and least > most:
        text = f"must be at least {MIN_SCALE}, {least}; without it the most is {SCALE_DEFAULT}"
        found.append(Complaint(annotation(MAX_SCALE), text))
    return found


def _bound(runtime: RuntimeSpec, name: str, found: list[Complaint]) -> int | None:
    told = _told(runtime, name)
    if told is None:
        return SCALE_DEFAULT
    number = _integer(told)
    if number is None:
        found.append(Complaint(annotation(name), f"must be a whole number, not '{shown(told)}'"))
    return number


def _integer(text: str) -> int | None:
    return int(text) if _INTEGER.fullmatch(text) else None
