"""The life of one cache entry: its states, the table of what leads from one to the next, and its story.

House architecture and ModelMesh (reference: ModelMesh core 4.3) go from QUEUED to WAITING to LOADING. Ours
pulls first: the size of the files is the best forecast of the size in memory, and a model that can never
fit is refused before anything is unloaded for it. So PULLING comes before WAITING, and room is made for a
size that is known as well as it can be.

`TRANSITIONS` is the code: what is not in it cannot happen. `docs/state-machines.md` is drawn from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from adapter.cache.failures import Failure
from adapter.cache.messages import LoadRequested
from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId


class EntryState(Enum):
    """Where a model is between being asked for and being gone."""

    QUEUED = "queued"
    """Asked for; all loading slots are taken."""
    PULLING = "pulling"
    """Its files are on their way to the disk."""
    WAITING = "waiting"
    """On the disk; waits for room in the runtime."""
    LOADING = "loading"
    """The runtime was told to load it; the predicted size is counted."""
    SIZING = "sizing"
    """Loaded and usable; the runtime is asked what it holds, the predicted size is counted."""
    ACTIVE = "active"
    """Loaded and usable; the measured size is counted."""
    UNLOADING = "unloading"
    """No longer usable; its size stays counted until the runtime has let it go."""
    FAILED = "failed"
    """Not there, and not tried again for a while."""
    REMOVED = "removed"
    """No longer known to the cache."""


class Cause(Enum):
    """Why an entry changes its state, in words for a story and a drawing."""

    SLOT_FREED = "a loading slot is free"
    CROWDED_OUT = "the queue is full and a waiting user comes first"
    PULLED = "its files are on the disk"
    PULL_FAILED = "the pull failed"
    ROOM_MADE = "there is room"
    NEVER_FITS = "it is bigger than all the room there is"
    NO_ROOM_IN_TIME = "it waited too long for room"
    ALL_PINNED = "what is pinned leaves no room for it"
    LOADED = "the runtime loaded it and told its size"
    LOADED_UNMEASURED = "the runtime loaded it and told no size"
    LOAD_FAILED = "the runtime did not load it"
    SIZED = "its size is known"
    EVICTED = "evicted to make room"
    SURPLUS = "evicted because more is loaded than there is room"
    COPY_LOST = "the runtime does not hold it"
    RUNTIME_RESET = "the runtime was restarted"
    UNREGISTERED = "unregistered"
    UNLOAD_ASKED = "its unload was asked for"
    ABANDONED = "nobody waits for it any more"
    UNLOADED = "the runtime let it go"
    UNLOAD_FAILED = "the runtime never let it go"
    CROWDED_FAILURES = "too many failures are remembered"
    EXPIRED = "its failure does not count, or no longer"


_S, _C = EntryState, Cause

TRANSITIONS: Final[Mapping[tuple[EntryState, Cause], EntryState]] = {
    (_S.QUEUED, _C.SLOT_FREED): _S.PULLING,
    (_S.QUEUED, _C.CROWDED_OUT): _S.REMOVED,
    (_S.QUEUED, _C.UNREGISTERED): _S.REMOVED,
    (_S.QUEUED, _C.UNLOAD_ASKED): _S.REMOVED,
    (_S.QUEUED, _C.ABANDONED): _S.REMOVED,
    (_S.PULLING, _C.PULLED): _S.WAITING,
    (_S.PULLING, _C.PULL_FAILED): _S.FAILED,
    (_S.PULLING, _C.UNREGISTERED): _S.REMOVED,
    (_S.PULLING, _C.UNLOAD_ASKED): _S.REMOVED,
    (_S.PULLING, _C.ABANDONED): _S.REMOVED,
    (_S.WAITING, _C.ROOM_MADE): _S.LOADING,
    (_S.WAITING, _C.NEVER_FITS): _S.FAILED,
    (_S.WAITING, _C.NO_ROOM_IN_TIME): _S.FAILED,
    (_S.WAITING, _C.ALL_PINNED): _S.FAILED,
    (_S.WAITING, _C.UNREGISTERED): _S.REMOVED,
    (_S.WAITING, _C.UNLOAD_ASKED): _S.REMOVED,
    (_S.WAITING, _C.ABANDONED): _S.REMOVED,
    (_S.LOADING, _C.LOADED): _S.ACTIVE,
    (_S.LOADING, _C.LOADED_UNMEASURED): _S.SIZING,
    (_S.LOADING, _C.LOAD_FAILED): _S.FAILED,
    (_S.SIZING, _C.SIZED): _S.ACTIVE,
    (_S.SIZING, _C.COPY_LOST): _S.REMOVED,
    (_S.SIZING, _C.RUNTIME_RESET): _S.REMOVED,
    (_S.SIZING, _C.UNREGISTERED): _S.UNLOADING,
    (_S.SIZING, _C.UNLOAD_ASKED): _S.UNLOADING,
    (_S.ACTIVE, _C.EVICTED): _S.UNLOADING,
    (_S.ACTIVE, _C.SURPLUS): _S.UNLOADING,
    (_S.ACTIVE, _C.NEVER_FITS): _S.UNLOADING,
    (_S.ACTIVE, _C.UNREGISTERED): _S.UNLOADING,
    (_S.ACTIVE, _C.UNLOAD_ASKED): _S.UNLOADING,
    (_S.ACTIVE, _C.COPY_LOST): _S.REMOVED,
    (_S.ACTIVE, _C.RUNTIME_RESET): _S.REMOVED,
    (_S.UNLOADING, _C.UNLOADED): _S.REMOVED,
    (_S.UNLOADING, _C.UNLOAD_FAILED): _S.REMOVED,
    (_S.UNLOADING, _C.RUNTIME_RESET): _S.REMOVED,
    (_S.UNLOADING, _C.NEVER_FITS): _S.FAILED,
    (_S.FAILED, _C.EXPIRED): _S.REMOVED,
    (_S.FAILED, _C.CROWDED_FAILURES): _S.REMOVED,
    (_S.FAILED, _C.UNREGISTERED): _S.REMOVED,
    (_S.FAILED, _C.UNLOAD_ASKED): _S.REMOVED,
}

STORY_STEPS_MAX: Final = 12
"""A whole life has at most nine steps."""


class Step(NamedTuple):
    """One change of state."""

    cause: Cause
    to: EntryState
    at_s: float

    def __str__(self) -> str:
        return f"{self.at_s:.3f} s: {self.to.value}, because {self.cause.value}"


class IllegalTransition(Exception):
    """The table has no such change: whoever reports to the cache reported what cannot be.

    The text tells the story of the entry, the latest step last.
    """

    def __init__(self, model: ModelId, state: EntryState, wanted: str, story: Sequence[Step] = ()) -> None:
        told = "".join(f"\n  {step}" for step in story)
        super().__init__(f"{model} is {state.value}: {wanted!r} cannot happen now{told}")


@dataclass(slots=True, kw_only=True, eq=False)
class CacheEntry:
    """One model on its way into the runtime, in it, or out of it. Only `ModelCache` changes it."""

    type: str
    requested_s: float
    waiting: bool
    """Somebody waits for it."""
    worth: Worth
    """Its uses and pins, its size, and what loading it cost."""
    state: EntryState = EntryState.QUEUED
    disk_bytes: int | None = None
    step_began_s: float = 0.0
    """When the pull, the wait for room or the load began, whichever is under way."""
    leaves: Cause | None = None
    """Why it goes as soon as the pull or the load that is under way has ended; None: it stays."""
    leaves_because: str = ""
    """The same in the words of whoever wishes it; empty: there are no others."""
    unregistered: bool = False
    """It goes because it was unregistered."""
    pinned: bool = False
    """By rule its copy is not evicted."""
    abandoned_s: float | None = None
    """Since when nobody waits for it; None: somebody does, or it is background work."""
    again: LoadRequested | None = None
    """Asked for while it goes: it is queued anew once it is gone."""
    failure: Failure | None = None
    """Why it FAILED; or, while it is UNLOADING, why it will have."""
    story: list[Step] = field(default_factory=list)
    """The latest steps, at most `STORY_STEPS_MAX`. (A deque takes 600 bytes before it holds anything.)"""

    def __str__(self) -> str:
        return f"<{self.model} {self.state.value}, {self.worth.size_bytes} bytes, {self.worth.pins} pins>"

    @property
    def model(self) -> ModelId:
        return self.worth.model

    def move(self, cause: Cause, now_s: float) -> None:
        """Take the step that the table has for this cause, or raise `IllegalTransition`."""
        to = TRANSITIONS.get((self.state, cause))
        if to is None:
            raise IllegalTransition(self.model, self.state, cause.value, self.story)
        self.state = to
        self.story.append(Step(cause, to, now_s))
        del self.story[:-STORY_STEPS_MAX]


def as_mermaid() -> str:
    """The table as a drawing."""
    start = f"  [*] --> {EntryState.QUEUED.value}: a load is requested"
    arrows = (f"  {a.value} --> {b.value}: {cause.value}" for (a, cause), b in TRANSITIONS.items())
    return "\n".join(["stateDiagram-v2", start, *arrows, f"  {EntryState.REMOVED.value} --> [*]"])
