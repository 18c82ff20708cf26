"""What an instance recalls of a model, in words (`mesh.RecallResponse`)."""

from typing import Final

from adapter.aio.clock import Clock, epoch_ms_at
from adapter.cache.departures import Departure as CacheDeparture
from adapter.cache.entry import Cause
from adapter.cache.eviction import Policy
from adapter.cache.model_cache import ModelCache
from adapter.domain.ids import ModelId
from adapter.instance.reasons import Reasons
from adapter.mesh.departures import Departure, Gone, evicted, evicted_by_age
from adapter.mesh.explain_facts import Recalled

ROOM_FOR: Final = "evicted to make room for "
"""How the cache says for whom a copy was evicted."""

_GONE: Final = {
    Cause.EVICTED: Gone.EVICTED,
    Cause.SURPLUS: Gone.EVICTED,
    Cause.COPY_LOST: Gone.LOST,
    Cause.RUNTIME_RESET: Gone.RESTARTED,
    Cause.UNREGISTERED: Gone.UNREGISTERED,
    Cause.UNLOAD_ASKED: Gone.UNLOADED,
}


def recalled(cache: ModelCache, reasons: Reasons, model: ModelId, clock: Clock) -> Recalled:
    """What this instance's cache knows of the model."""
    state, departed = cache.state(model), cache.departure(model)
    since, position = reasons.of(model), cache.queue_position(model)
    if position is not None:
        since = f"{since}; {position} loads come before it" if since else f"{position} loads come before it"
    size_bytes = cache.size_bytes(model) or (departed.size_bytes if departed else 0)
    return Recalled(
        state="" if state is None else state.value,
        since=since,
        departed="" if departed is None else str(_departure(departed, cache.policy)),
        departed_ms=0 if departed is None else epoch_ms_at(clock, departed.at_s),
        size_bytes=size_bytes,
    )


def _departure(departed: CacheDeparture, policy: Policy) -> Departure:
    """What the cache remembers, as whoever asks reads it."""
    why = _GONE.get(departed.cause, Gone.OTHER)
    if why is Gone.EVICTED:
        told = departed.because
        room_for = ModelId(told.removeprefix(ROOM_FOR)) if told.startswith(ROOM_FOR) else None
        if policy == "lru":
            unused_s = max(departed.at_s - departed.used_s, 0.0)
            return evicted_by_age(room_for, unused_s=unused_s, size_bytes=departed.size_bytes)
        return evicted(room_for, uses=departed.uses, load_s=departed.load_s, size_bytes=departed.size_bytes)
    given_up = f"{Gone.SURPLUS.value}: "
    if departed.because.startswith(given_up):
        return Departure(why=Gone.SURPLUS, words=departed.because.removeprefix(given_up))
    return Departure(why=why)
