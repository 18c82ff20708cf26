"""What the rules for more copies and for fewer are told: of a model, and of the mesh.

Whoever asks fills them in for one model at a time; `Mesh` is the same for all models of a type.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRecord, CopyRules, CopyState
from adapter.mesh.room import Room
from adapter.mesh.view import InstanceState

BUSY: Final = 1.0
HEAVY: Final = 0.75
"""With so much load a copy should have another one beside it; it is used heavily (reference: ModelMesh core
4.12).
"""

NO_RULES: Final = CopyRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingRules:
    """Settings; what a copy may have to do before there is to be another one."""

    rpm_max: float = 2000.0
    """Calls a minute (`MM_SCALEUP_RPM_THRESHOLD`)."""
    concurrency_pct: float = 90.0
    """Share of the calls at a time that the runtime allows for a model (`MM_CONC_SCALEUP_BANDWIDTH_PCT`)."""
    concurrency_max: float = 16.0
    """Calls at a time where the runtime tells no such limit; as many as ModelMesh lets wait for one copy."""

    def concurrency_wanted(self, limit: int) -> float:
        """With so many calls at a time a copy has enough to do. `limit`: the runtime's; 0: it has none."""
        return limit * self.concurrency_pct / 100.0 if limit else self.concurrency_max

    def load(self, *, rpm: float, concurrency: float, limit: int) -> float:
        """How much a copy has to do; at `BUSY` and above there should be a further one."""
        return max(rpm / self.rpm_max, concurrency / self.concurrency_wanted(limit))


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """One model, and what this instance knows of its use."""

    model: ModelId
    rules: CopyRules = NO_RULES
    copies: Mapping[InstanceId, CopyRecord] = field(default_factory=dict)
    """As the mesh's table has them, this instance's own too."""
    size_bytes: int = 0
    used_ms: int = 0
    """When the copy here was last used."""
    rpm: float = 0.0
    """Calls a minute of the copy here."""
    concurrency: float = 0.0
    """Calls at a time of the copy here, on average."""
    concurrency_limit: int = 0
    """That the runtime has for this model; 0: none."""
    steady: bool = False
    """It is used now, and was used between 7 and 40 minutes ago."""
    heavy_ms: int | None = None
    """When the copy here was last used heavily; None: never, as far as anybody knows."""
    asked_ms: int = 0
    """When this instance last asked for a further copy (`Demand.asked_ms`); 0: not lately."""
    departed_ms: int = 0
    """When the last copy of it went somewhere, as far as this instance saw; 0: it saw none go."""

    def load(self, rules: ScalingRules) -> float:
        """How much the copy here has to do."""
        return rules.load(rpm=self.rpm, concurrency=self.concurrency, limit=self.concurrency_limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """The instances that may hold models of that type, and when it is."""

    here: InstanceId
    now_ms: int
    instances: Mapping[InstanceId, InstanceState]
    """By their labels; those that drain too. A copy elsewhere does not count."""
    room: Room
    """Of these instances (`room_of`); given, since it is the same for many models."""
    rules: ScalingRules = ScalingRules()
    rpm: float = 0.0
    """Calls a minute of all models here."""
    leads: bool = False
    """This instance is the leader, which looks after what nobody holds."""

    def live(self, copied: Copied, *states: CopyState) -> list[InstanceId]:
        """Who has a copy in one of these states and will keep it, in order of their ids."""
        return sorted(
            [
                id_
                for id_, copy in copied.copies.items()
                if copy.state in states and id_ in self.instances and not self.instances[id_].record.draining
            ]
        )
