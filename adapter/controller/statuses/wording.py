"""The texts of a status. Those of ModelMesh are matched by people's scripts, and stay as they are."""

from collections.abc import Iterable
from typing import Final

from adapter.controller.statuses.standing import ModelState, Observed, Standing
from adapter.controller.verdicts import Chosen, NoRuntime, Refusal
from adapter.domain.specs import FailureReason

NO_POD: Final = "Waiting for runtime Pod to become available"
NO_SUPPORTING_POD: Final = "Waiting for supporting runtime Pod to become available"
NAME_TAKEN: Final = "Predictor already exists with the same name from a different source"

MESSAGE_CHARS_MAX: Final = 4096
"""Of one text in a status; what a mesh or a log says may be longer."""
LISTED_MAX: Final = 20
"""Refusals or problems that one text lists."""

_WHY_NOT_READY: Final = {
    ModelState.PENDING: "The model is not registered yet",
    ModelState.STANDBY: "The model is not loaded",
    ModelState.LOADING: "The model is being loaded",
    ModelState.FAILED: "The model could not be loaded",
}


def shortened(text: str, chars_max: int = MESSAGE_CHARS_MAX) -> str:
    """The beginning of a long text, and its end, where a log has what matters."""
    if len(text) <= chars_max:
        return text
    half = (chars_max - len(" ... ")) // 2
    return f"{text[:half]} ... {text[-half:]}"


def explained(standing: Standing, observed: Observed) -> str:
    """Why it is as it is, with every runtime that refuses the model, or why its runtimes do not run."""
    failure = standing.failure
    if failure is None:
        return _WHY_NOT_READY.get(standing.active, "")
    further: Iterable[str] = ()
    match observed.selection:
        case NoRuntime(refusals=refusals) if failure.reason in _REASONS_OF_SELECTION:
            further = map(_refused, refusals)
        case Chosen() if failure.reason == FailureReason.RUNTIME_UNHEALTHY.value:
            further = observed.problems
    return shortened(_joined(failure.message, [text for text in further if text not in failure.message]))


_REASONS_OF_SELECTION: Final = frozenset(
    reason.value
    for reason in (
        FailureReason.NO_SUPPORTING_RUNTIME,
        FailureReason.RUNTIME_NOT_RECOGNIZED,
        FailureReason.RUNTIME_DISABLED,
    )
)


def _refused(refusal: Refusal) -> str:
    return f"{refusal.runtime}: {refusal.because}"


def _joined(message: str, further: list[str]) -> str:
    if not further:
        return message
    more = len(further) - LISTED_MAX
    listed = [*further[:LISTED_MAX], f"and {more} more"] if more > 0 else further
    return f"{message}: {'; '.join(listed)}" if message else "; ".join(listed)
