"""What an alias can be, the table of what leads from one to the next, and its drawing.

`STEPS` is the code: what is not in it cannot happen. `docs/state-machines.md` is drawn from it. The numbers
are `mmesh.VModelStatusInfo.VModelStatus`'s (reference: ModelMesh core 1.2).
"""

from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import Final

from adapter.domain.records import VModelRecord


class VModelStatus(IntEnum):
    """The mesh's answer about an alias."""

    NOT_FOUND = 0
    DEFINED = 1
    """It stands for its target."""
    TRANSITIONING = 2
    """It stands for its active model until its target is ready."""
    TRANSITION_FAILED = 3
    """It stands for its active model; its target could not be loaded, and is tried again."""
    UNKNOWN = 5


class Cause(Enum):
    """Why an alias changes, in words for a log and a drawing."""

    CREATED = "set for the first time"
    AIMED = "set to another target"
    SPLIT = "its canary or its shadow was set"
    FORCED = "forced to its target"
    TURNED_BACK = "set back to its active model"
    READY = "its target has as many copies as its active model"
    IDLE = "its active model has no copy to be matched"
    NOT_LOADED = "its target could not be loaded"
    DELETED = "deleted"


class IllegalStep(Exception):
    """The table has no such step."""


_S, _C = VModelStatus, Cause

STEPS: Final[Mapping[tuple[VModelStatus, Cause], VModelStatus]] = {
    (_S.NOT_FOUND, _C.CREATED): _S.DEFINED,
    (_S.DEFINED, _C.AIMED): _S.TRANSITIONING,
    (_S.DEFINED, _C.SPLIT): _S.DEFINED,
    (_S.DEFINED, _C.FORCED): _S.DEFINED,
    (_S.DEFINED, _C.READY): _S.DEFINED,
    (_S.DEFINED, _C.IDLE): _S.DEFINED,
    (_S.DEFINED, _C.DELETED): _S.NOT_FOUND,
    (_S.TRANSITIONING, _C.AIMED): _S.TRANSITIONING,
    (_S.TRANSITIONING, _C.SPLIT): _S.TRANSITIONING,
    (_S.TRANSITIONING, _C.FORCED): _S.DEFINED,
    (_S.TRANSITIONING, _C.TURNED_BACK): _S.DEFINED,
    (_S.TRANSITIONING, _C.READY): _S.DEFINED,
    (_S.TRANSITIONING, _C.IDLE): _S.DEFINED,
    (_S.TRANSITIONING, _C.NOT_LOADED): _S.TRANSITION_FAILED,
    (_S.TRANSITIONING, _C.DELETED): _S.NOT_FOUND,
    (_S.TRANSITION_FAILED, _C.AIMED): _S.TRANSITIONING,
    (_S.TRANSITION_FAILED, _C.SPLIT): _S.TRANSITION_FAILED,
    (_S.TRANSITION_FAILED, _C.FORCED): _S.DEFINED,
    (_S.TRANSITION_FAILED, _C.TURNED_BACK): _S.DEFINED,
    (_S.TRANSITION_FAILED, _C.READY): _S.DEFINED,
    (_S.TRANSITION_FAILED, _C.IDLE): _S.DEFINED,
    (_S.TRANSITION_FAILED, _C.DELETED): _S.NOT_FOUND,
}


def status_of(record: VModelRecord | None) -> VModelStatus:
    """What the record says."""
    if record is None:
        return VModelStatus.NOT_FOUND
    if record.active == record.target:
        return VModelStatus.DEFINED
    return VModelStatus.TRANSITION_FAILED if record.failed else VModelStatus.TRANSITIONING


def check_step(before: VModelRecord | None, cause: Cause, after: VModelRecord | None) -> None:
    """Raises `IllegalStep` if the table does not have it."""
    was, becomes = status_of(before), status_of(after)
    if STEPS.get((was, cause)) is not becomes:
        raise IllegalStep(f"an alias is {was.name}: {cause.value!r} cannot make it {becomes.name}")


def as_mermaid() -> str:
    """The table as a state diagram."""
    lines = ["stateDiagram-v2"]
    for (state, cause), to in STEPS.items():
        start = "[*]" if state is VModelStatus.NOT_FOUND else state.name
        end = "[*]" if to is VModelStatus.NOT_FOUND else to.name
        lines.append(f"  {start} --> {end}: {cause.value}")
    return "\n".join(lines)
