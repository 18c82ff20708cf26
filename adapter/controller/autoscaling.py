"""The annotations that ask for a `HorizontalPodAutoscaler` (reference: serving controller 1.1, 3.13).

Admission is stricter (`manifests`); here an object that got past it is made the best of, and nothing but its
own scaling suffers (D2).
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
from adapter.controller.manifests.autoscaling_rules import (
    EXTERNAL,
    HPA,
    METRICS_KNOWN,
    PERCENT_MAX,
    SCALE_DEFAULT,
)
from adapter.controller.manifests.complaints import Complaint, shown
from adapter.controller.plans import Autoscaling

TARGET_DEFAULT: Final = 80
REPLICAS_MAX: Final = 2**31 - 1
_WHOLE: Final = re.compile(r"[0-9]{1,10}")


def autoscaling_in(annotations: Mapping[str, str]) -> tuple[Autoscaling | None, tuple[Complaint, ...]]:
    """What is asked for; None: nothing, or it cannot be done, and the complaints say why."""
    class_ = annotations.get(AUTOSCALER_CLASS)
    if class_ is None:
        return None, ()
    if class_ != HPA:
        return None, (Complaint(annotation(AUTOSCALER_CLASS), _class_text(class_)),)
    complaints: list[Complaint] = []
    metric = annotations.get(METRICS) or "cpu"
    if metric not in METRICS_KNOWN:
        complaints.append(Complaint(annotation(METRICS), f"[{shown(metric)}] is not a supported metric."))
    target = _whole(annotations, TARGET_UTILIZATION, complaints, default=TARGET_DEFAULT, most=PERCENT_MAX)
    least = _whole(annotations, MIN_SCALE, complaints, default=SCALE_DEFAULT, most=REPLICAS_MAX)
    most = _whole(annotations, MAX_SCALE, complaints, default=SCALE_DEFAULT, most=REPLICAS_MAX)
    if complaints:
        return None, tuple(complaints)
    asked = Autoscaling(
        metric=metric, target_percent=target, replicas_min=least, replicas_max=max(least, most)
    )
    return asked, ()


def _class_text(class_: str) -> str:
    if class_ == EXTERNAL:
        return "unknown autoscaler class [external]"
    return f"[{shown(class_)}] is not a supported autoscaler class type."


def _whole(
    annotations: Mapping[str, str], name: str, complaints: list[Complaint], *, default: int, most: int
) -> int:
    written = annotations.get(name)
    if written is None:
        return default
    if not _WHOLE.fullmatch(written) or not 1 <= int(written) <= most:
        complaints.append(
            Complaint(annotation(name), f"must be a whole number from 1 to {most}, not {shown(written)!r}")
        )
        return default
    return int(written)
