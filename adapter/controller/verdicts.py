"""What was decided about a model: which runtime serves it, what the mesh says of it, what its status becomes.

What is asked of the mesh is a `mesh.vmodels.SetVModel`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapter.domain.specs import FailureReason, RuntimeSpec
from adapter.mesh.vmodels import VModelReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why one runtime does not serve a model."""

    runtime: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The runtimes that may serve a model, the best first; in ModelMesh mode all of them do."""

    runtimes: tuple[RuntimeSpec, ...]
    type: str
    """The model's type in the mesh, by which the type constraints find these runtimes."""
    refusals: tuple[Refusal, ...] = ()
    """Why not the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRuntime:
    """None does."""

    type: str
    reason: FailureReason
    message: str
    """As KServe or ModelMesh words it."""
    refusals: tuple[Refusal, ...] = ()
    """Every runtime, and why not."""


Selection = Chosen | NoRuntime


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshAway:
    """The mesh could not be asked."""

    no_pods: bool
    """There is no ready pod of any runtime; else it failed otherwise."""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameTaken:
    """The alias belongs to a model of the other kind (ALREADY_EXISTS)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecInvalid:
    """The object is refused; nothing is registered."""

    message: str
    report: VModelReport | None = None
    """What the mesh says of what was registered before."""


MeshAnswer = VModelReport | MeshAway | NameTaken | SpecInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where clients reach a model."""

    grpc_url: str
    rest_url: str = ""
    """Empty: REST is off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPatch:
    """What becomes of an object's status, when to look again, and what is worth an event."""

    status: Mapping[str, object]
    """The whole of what we own of it; equal to what is there: nothing is written."""
    look_again_s: float | None = None
    events: tuple[tuple[str, str, str], ...] = field(default=())
    """(`Normal` or `Warning`, reason, message)."""
