"""What speaks for keeping one model."""

from dataclasses import dataclass

from adapter.domain.ids import ModelId


@dataclass(slots=True, kw_only=True, eq=False)
class Worth:
    """One model's uses, size and cost. Size and load time do not change while it is `listed`."""

    model: ModelId
    used_s: float
    size_bytes: int = 0
    load_s: float = 0.0
    """What it took to pull and load it, without the waits for a slot and for room."""
    uses: int = 1
    pins: int = 0
    """Requests that use it now: a model with pins is not evicted."""
    keeps: int = 0
    """Rules by which it is not evicted: it is pinned here, or was loaded a moment ago."""
    listed: bool = False
    """Up for eviction, once it is free."""
    order: int = 0
    """Which it was of all that were listed."""
    priority: float = 0.0
    """With greedy-dual-size-frequency; else 0."""
    place: int = -1
    """Where it stands among the candidates of `BySample`; -1: it is not one."""
    gap: float = 0.0
    """How far apart its uses are: the mean octave (see `reuse`), the latest counting most."""
    share: float = 1.0
    """How much the next gap will count in that mean."""
    group: int = 0
    """The models whose uses are as far apart, for what is learnt of them together; 0: used once so far."""
    rank: int = -1
    """Where it stands among those that `ReuseTimes` knows; -1: it does not."""
    sampled: bool = False
    """Its uses are told to the shadow (see `shadow`)."""

    @property
    def is_free(self) -> bool:
        """Nobody uses it, and no rule keeps it."""
        return self.pins + self.keeps == 0
