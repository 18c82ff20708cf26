"""How a model stands, in the terms that both kinds of objects share, and what that is found out from."""

from dataclasses import dataclass
from enum import Enum

from adapter.controller.verdicts import MeshAnswer, Selection, Served


class ModelState(Enum):
    """`activeModelState` and `targetModelState` (reference: serving controller 1.4, 1.5)."""

    NONE = ""
    """There is no such model: the target is the active one."""
    PENDING = "Pending"
    """Not registered yet, or nothing runs that could say more."""
    STANDBY = "Standby"
    """Registered and not loaded; it loads with its first request."""
    LOADING = "Loading"
    LOADED = "Loaded"
    FAILED = "FailedToLoad"


class Transition(Enum):
    """`transitionStatus`: how far the status follows the spec."""

    UP_TO_DATE = "UpToDate"
    IN_PROGRESS = "InProgress"
    """The model of an older spec serves until that of the latest is loaded."""
    BLOCKED = "BlockedByFailedLoad"
    """It goes on serving, since that of the latest cannot be loaded."""
    INVALID = "InvalidSpec"
    """The spec is refused; what was registered before goes on serving."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """`lastFailureInfo`."""

    reason: str
    """One of `FailureReason`; what stands in an old status may be anything."""
    message: str = ""
    model: str = ""
    """The id of the model that it is about; empty: the spec could not be read far enough."""
    location: str = ""
    """The instance where it failed."""
    time: str = ""
    """RFC 3339: when it failed, or was first found to be so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A model's status; as it is made, that of an object which was just created."""

    active: ModelState = ModelState.PENDING
    target: ModelState = ModelState.NONE
    transition: Transition = Transition.UP_TO_DATE
    failure: Failure | None = None
    failed_copies: int = 0
    total_copies: int = 0
    """Loading and failed ones too, as ModelMesh counts."""
    available: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """All that a status is made from, beside the status that is there."""

    answer: MeshAnswer
    served: Served
    now_ms: int
    target: str = ""
    """The id of the model that this spec is registered as; empty: the spec cannot be read."""
    selection: Selection | None = None
    """None: the spec is invalid."""
    instances: int | None = None
    """Ready ones that may serve it; of an invalid spec: all of the namespace. None: unknown."""
    asleep: bool = False
    """Nothing runs because nobody asked for long; the first request wakes it."""
    problems: tuple[str, ...] = ()
    """Why those runtimes do not become ready, each with the runtime's name."""
    generation: int = 0
    """Of the object, as it was looked at."""

    @property
    def has_no_instance(self) -> bool:
        """Nothing is ready that could serve it, and no request would change that."""
        return self.instances == 0 and not self.asleep
