"""What is worth an event on the object: it became ready, its spec took effect, something failed."""

from typing import Final

from adapter.controller.statuses.standing import Failure, Observed, Standing, Transition
from adapter.controller.statuses.wording import explained, shortened

NORMAL: Final = "Normal"
WARNING: Final = "Warning"
NOTE_CHARS_MAX: Final = 1024
"""What the API server takes in an event."""

Event = tuple[str, str, str]


def news(before: Standing, after: Standing, observed: Observed) -> tuple[Event, ...]:
    """What is different from before; the same standing again is none."""
    told: list[Event] = []
    if after.failure is not None and _about(after.failure) != _about(before.failure):
        text = shortened(explained(after, observed) or after.failure.reason, NOTE_CHARS_MAX)
        told.append((WARNING, after.failure.reason, text))
    if after.available and not before.available:
        told.append((NORMAL, "Ready", f"The model is served at {observed.served.grpc_url}"))
    moved = before.transition is not after.transition is Transition.UP_TO_DATE
    if moved and before.transition is not Transition.INVALID and after.failure is None:
        told.append((NORMAL, "Updated", f"The model of the latest spec serves: {observed.target}"))
    return tuple(told)


def _about(failure: Failure | None) -> tuple[str, str, str] | None:
    return None if failure is None else (failure.reason, failure.message, failure.model)
