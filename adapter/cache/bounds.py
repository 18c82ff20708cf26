"""How much may pile up in the cache, and how long it may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheBounds:
    """The bounds of one `ModelCache`; past each there is an answer at once."""

    queue_max: int = 10_000
    """Models that wait for a loading slot; a further one is told `CacheBusy`."""
    failed_max: int = 1_000
    """Failures that are remembered; the oldest is forgotten first."""
    waiting_for_room_s_max: float = 30.0
    """A pulled model that finds no room for so long, because all is in use, is told `CacheBusy`."""
    first_use_s_max: float = 5.0
    """So long a model is kept for the first use by those who waited for it."""
    abandoned_s_max: float = 2.0
    """So long a load that nobody waits for any more goes on, for those who try again with a new deadline."""
    drain_s_max: float = 120.0
    """So long an unload waits for requests that still use the model (reference: ModelMesh core 4.5)."""
    churn_factor: float = 10.0
    """So many times its own load time a copy is not evicted for another model, at most `GUARDED_S_MAX`
    (reference: ModelMesh core 4.6); 0: it may be evicted at once."""
