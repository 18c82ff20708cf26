"""The annotations that ask for a `HorizontalPodAutoscaler` (reference: serving controller 1.1, 1.2, 3.13).

The rules and their words are those of ModelMesh's webhook. A runtime that got past it is read by the same
rules: it stays as it was until it is mended, and nothing else suffers (D2).
"""

import re
from collections.abc import Mapping
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
from adapter.controller.plans import Autoscaling
from adapter.domain.specs import RuntimeSpec

HPA: Final = "hpa"
EXTERNAL: Final = "external"
METRICS_KNOWN: Final = ("cpu", "memory")
TARGET_DEFAULT: Final = 80
PERCENT_MAX: Final = 100
SCALE_DEFAULT: Final = 1
REPLICAS_MAX: Final = 2**31 - 1
"""The API has 32 bits for a number of replicas."""

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,10}")


def autoscaling_complaints(runtime: RuntimeSpec) -> list[Complaint]:
    """What the webhook denies; nothing of what is not for many models."""
    if not runtime.multi_model:
        return []
    _, complaints = autoscaling_in(runtime.identity.annotations)
    found = list(complaints)
    if runtime.replicas is not None and runtime.identity.annotations.get(AUTOSCALER_CLASS) == HPA:
        text = f"must not be set with the autoscaler class {HPA}; say {MIN_SCALE} and {MAX_SCALE}"
        found.append(Complaint("spec.replicas", text))
    return found


def autoscaling_in(annotations: Mapping[str, str]) -> tuple[Autoscaling | None, tuple[Complaint, ...]]:
    """What is asked for; None: nothing, or it cannot be done, and the complaints say why."""
    reading = _Reading(annotations)
    class_ = annotations.get(AUTOSCALER_CLASS)
    target = reading.target()  # is looked at without a class too
    if class_ != HPA:
        reading.refuse_class(class_)
        return None, tuple(reading.complaints)
    metric = reading.metric()
    least, most = reading.bounds()
    if reading.complaints:
        return None, tuple(reading.complaints)
    return Autoscaling(metric=metric, target_percent=target, replicas_min=least, replicas_max=most), ()


class _Reading:
    """What the annotations say, with the default for each that says nothing of use, and the complaints."""

    def __init__(self, annotations: Mapping[str, str]) -> None:
        self._annotations = annotations
        self.complaints: list[Complaint] = []

    def refuse_class(self, class_: str | None) -> None:
        if class_ == EXTERNAL:
            self._complain(AUTOSCALER_CLASS, f"unknown autoscaler class [{class_}]")
        elif class_ is not None:
            self._complain(AUTOSCALER_CLASS, f"[{shown(class_)}] is not a supported autoscaler class type.")

    def target(self) -> int:
        told = self._annotations.get(TARGET_UTILIZATION)
        if told is None:
            return TARGET_DEFAULT
        percent = _integer(told)
        if percent is not None and 1 <= percent <= PERCENT_MAX:
            return percent
        self._complain(
            TARGET_UTILIZATION, f"must be a whole number from 1 to {PERCENT_MAX}, not '{shown(told)}'"
        )
        return TARGET_DEFAULT

    def metric(self) -> str:
        metric = self._annotations.get(METRICS, METRICS_KNOWN[0])
        if metric not in METRICS_KNOWN:
            self._complain(METRICS, f"[{shown(metric)}] is not a supported metric.")
        return metric

    def bounds(self) -> tuple[int, int]:
        least, most = self._bound(MIN_SCALE), self._bound(MAX_SCALE)
        if least is None or most is None:
            return SCALE_DEFAULT, SCALE_DEFAULT
        if least < 1:
            self._complain(MIN_SCALE, "must be at least 1")
        elif least > most:
            text = f"must be at least {MIN_SCALE}, {least}; without it the most is {SCALE_DEFAULT}"
            self._complain(MAX_SCALE, text)
        return least, most

    def _bound(self, name: str) -> int | None:
        told = self._annotations.get(name)
        if told is None:
            return SCALE_DEFAULT
        number = _integer(told)
        if number is None or number > REPLICAS_MAX:
            self._complain(name, f"must be a whole number, at most {REPLICAS_MAX}, not '{shown(told)}'")
            return None
        return number

    def _complain(self, name: str, text: str) -> None:
        self.complaints.append(Complaint(annotation(name), text))


def _integer(text: str) -> int | None:
    return int(text) if _INTEGER.fullmatch(text) else None
