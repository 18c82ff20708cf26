"""What an explanation is made of, and what it says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from adapter.domain.ids import InstanceId
from adapter.domain.records import CopyRecord, ModelRecord, VModelRecord
from adapter.mesh.verdicts import Placement, Route
from adapter.mesh.view import InstanceState


class State(Enum):
    """What a name stands for now, in a word or two."""

    UNREGISTERED = "not registered"
    LOADED = "loaded"
    LOADING = "loading"
    COLD = "cold"
    FITS_NOWHERE = "fits nowhere"
    NO_INSTANCE = "no instance"
    FAILED = "load failed"
    QUARANTINED = "quarantined"
    MOVING = "alias is moving"
    STUCK = "alias could not move"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What an instance itself knows of the model (`mesh.RecallResponse`)."""

    state: str = ""
    """Of its cache's entry; empty: it has none."""
    since: str = ""
    """Why it is in that state: what placement said; how many loads come before it."""
    departed: str = ""
    """Why its last copy went (`Departure`); empty: that is not remembered, or there was none."""
    departed_ms: int = 0
    size_bytes: int = 0
    """Of the copy, or of the one that went; 0: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """The vmodel that was asked about."""

    record: VModelRecord
    target_copies: Mapping[InstanceId, CopyRecord] = field(default_factory=dict)
    failure: str = ""
    """`CODE: text`: why the target could not be loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that an answer is made of."""

    name: str
    """What was asked about: an alias, or a model."""
    model: str = ""
    """What it stands for; empty: nothing."""
    record: ModelRecord | None = None
    """Its registration; None: there is none."""
    alias: Alias | None = None
    similar: tuple[str, ...] = ()
    """Registered names much like it, the nearest first; asked for only if there is no registration."""
    here: InstanceId
    now_ms: int
    copies: Mapping[InstanceId, CopyRecord] = field(default_factory=dict)
    instances: Mapping[InstanceId, InstanceState] = field(default_factory=dict)
    lacking: Mapping[InstanceId, tuple[str, ...]] = field(default_factory=dict)
    """Which of the labels that the type requires an instance has not; one that has all is not in it."""
    recalled: Mapping[InstanceId, Recalled] = field(default_factory=dict)
    size_bytes: int = 0
    """What it needs, as far as it is known or predicted; 0: not at all."""
    overhead_bytes: int = 0
    """By so much less than `CONTAINER_MEM_REQ_BYTES` is the capacity."""
    route: Route | None = None
    """What would become of the next call."""
    placement: Placement | None = None
    """Where a copy would be loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedCopy:
    """One copy, or one failed try at it."""

    instance: InstanceId
    state: str
    because: str
    since_ms: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The answer (`mesh.ExplainResponse`)."""

    name: str
    model: str = ""
    state: State
    cause: str
    """One sentence: why it is so."""
    cure: str
    """One sentence: what would change it."""
    copies: tuple[ExplainedCopy, ...] = ()
    next: str = ""
    """Where the next call would go, and why."""
    refused: tuple[str, ...] = ()
    """Every instance that may not load it, with the reason."""
