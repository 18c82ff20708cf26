"""What the registry stores, and what each instance tells of itself.

Times are milliseconds since the epoch, sizes are bytes. `unknown` holds the fields of a record that we do not
know: they are kept and written back, so that what a newer writer or a ModelMesh left is not lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What a model is and where it lies, as it was registered (`mmesh.ModelInfo`).

    The three are opaque to the mesh: the puller and the runtime read them.
    """

    type: str
    path: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRules:
    """How many copies of one model there may be; ours, ModelMesh has no such thing."""

    copies_min: int = 0
    """So many are kept loaded, as far as there are instances that may hold it."""
    copies_max: int = 0
    """0: no bound."""
    pinned: bool = False
    """A loaded copy is never evicted to make room for another model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """A registration (reference: ModelMesh core 3.4)."""

    info: ModelInfo
    last_used_ms: int = 0
    """Written rarely, never per request."""
    references: int = 0
    """How many vmodels name it; active and target count apart only if they differ."""
    auto_delete: bool = False
    """It is forgotten when no vmodel names it any more."""
    rules: CopyRules = CopyRules()
    unknown: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VModelRecord:
    """An alias (reference: ModelMesh core 3.6), with our canary and shadow beside it."""

    active: str
    target: str
    """As `active`, unless the alias is to move."""
    owner: str = ""
    failed: bool = False
    """The target could not be loaded."""
    canary: str = ""
    """A model that gets a share of the calls; ours."""
    canary_percent: int = 0
    shadow: str = ""
    """A model that is sent a copy of each call, whose answer nobody gets; ours."""
    unknown: dict[str, object] = field(default_factory=dict)


class CopyState(Enum):
    """What a copy is to the rest of the mesh."""

    LOADING = "loading"
    LOADED = "loaded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRecord:
    """One model in one instance, under the instance's lease."""

    state: CopyState
    since_ms: int
    """When the load was asked for; when it failed."""
    size_bytes: int = 0
    """In memory, as measured; while it loads, as predicted."""
    load_s: float = 0.0
    """What it took to pull and load it."""
    failure: str = ""
    """`CODE: text`."""
    until_ms: int = 0
    """How long a failed load is not tried again there."""
    everywhere: bool = False
    """The load would fail alike in every instance: there is no such object, say."""
    crashes: int = 0
    """How often the runtime there ended while it loaded or used this model."""
    unknown: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRecord:
    """One instance, under its lease (reference: ModelMesh core 3.5)."""

    boot: str
    """Differs with each start of the process."""
    address: str
    """Where peers reach it, `host:port`."""
    started_ms: int
    version: str = ""
    """Of the deployment (`SERVICE_VERSION`); newer ones are preferred for new copies."""
    location: str = ""
    """The machine it runs on."""
    zone: str = ""
    labels: tuple[str, ...] = ()
    capacity_bytes: int = 0
    used_bytes: int = 0
    copies: int = 0
    coldest_ms: int | None = None
    """When the copy unused for longest was last used; None: it holds none."""
    loading_slots: int = 1
    loading: int = 0
    """Loads under way or queued."""
    rpm: int = 0
    """Requests a minute."""
    idle_since_ms: int | None = None
    """When it last had something to do, if that is a while ago; None: it has now, or it does not tell."""
    draining: bool = False
    """It is about to leave: it answers, and gets no new copies."""
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """What else it listens on, for people: `grpc`, `rest`, `metrics`, `probes`."""
    unknown: dict[str, object] = field(default_factory=dict)
