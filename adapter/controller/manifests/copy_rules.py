"""Annotations of ours: how many copies of a model there may be."""

import re
from collections.abc import Mapping
from typing import Final

from adapter.controller.manifests.annotations import MAX_COPIES, MIN_COPIES, PIN, annotation
from adapter.controller.manifests.complaints import Complaint, shown
from adapter.domain.records import CopyRules

COPIES_MAX: Final = 10_000
_NUMBER: Final = re.compile(r"[0-9]{1,5}")


def read_copy_rules(annotations: Mapping[str, str], complaints: list[Complaint]) -> CopyRules:
    """What they say; where they cannot be read, a complaint is added."""
    copies_min = _copies(annotations, MIN_COPIES, complaints)
    copies_max = _copies(annotations, MAX_COPIES, complaints)
    if copies_max and copies_max < copies_min:
        complaints.append(
            Complaint(annotation(MAX_COPIES), f"must not be less than {MIN_COPIES}, or 0 for no bound")
        )
    return CopyRules(copies_min=copies_min, copies_max=copies_max, pinned=_pinned(annotations, complaints))


def _copies(annotations: Mapping[str, str], name: str, complaints: list[Complaint]) -> int:
    text = annotations.get(name, "0")
    if not _NUMBER.fullmatch(text) or int(text) > COPIES_MAX:
        told = f"must be a whole number from 0 to {COPIES_MAX}, not '{shown(text)}'"
        complaints.append(Complaint(annotation(name), told))
        return 0
    return int(text)


def _pinned(annotations: Mapping[str, str], complaints: list[Complaint]) -> bool:
    text = annotations.get(PIN, "false")
    if text not in {"true", "false"}:
        complaints.append(Complaint(annotation(PIN), f"must be true or false, not '{shown(text)}'"))
    return text == "true"
