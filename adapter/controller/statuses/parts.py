"""What is read of a status that is there. Whatever stands in it, a reading comes out."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from adapter.controller.statuses.standing import Failure

E = TypeVar("E", bound=Enum)


def part(status: object, *names: str) -> Mapping[str, object]:
    """The object at this path; empty if there is none."""
    for name in names:
        status = status.get(name) if isinstance(status, Mapping) else None
    return status if isinstance(status, Mapping) else {}


def text(status: Mapping[str, object], name: str) -> str:
    """Empty if there is none."""
    value = status.get(name)
    return value if isinstance(value, str) else ""


def count(status: Mapping[str, object], name: str) -> int:
    """0 if there is none."""
    value = status.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def one_of(choices: type[E], value: object, default: E) -> E:
    """The member with this value."""
    try:
        return choices(value)
    except ValueError:
        return default


def failure_in(info: Mapping[str, object], *, model: str) -> Failure | None:
    """`lastFailureInfo`; `model` names the field that has the model's id. None: there is none."""
    reason = text(info, "reason")
    if not reason:
        return None
    return Failure(
        reason=reason,
        message=text(info, "message"),
        model=text(info, model),
        location=text(info, "location"),
        time=text(info, "time"),
    )


def failure_as(failure: Failure | None, *, model: str) -> Mapping[str, object] | None:
    """The same as JSON for a merge patch, where None takes away what was there before."""
    if failure is None:
        return None
    return {
        "reason": failure.reason,
        "message": failure.message or None,
        model: failure.model or None,
        "location": failure.location or None,
        "time": failure.time or None,
    }
