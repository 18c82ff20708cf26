"""What an instance recalls of a model, in words (`mesh.RecallResponse`)."""

from typing import Final

from adapter.aio.clock import Clock
from adapter.cache.departures import Departure as CacheDeparture
from adapter.cache.entry import Cause
from adapter.cache.model_cache import ModelCache
from adapter.domain.ids import ModelId
from adapter.instance.reasons import Reasons
from adapter.mesh.departures import Departure, Gone, evicted
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
    now_s, now_ms = clock.now_s(), clock.epoch_ms()
    state, departed = cache.state(model), cache.departure(model)
    since, position = reasons.of(model), cache.queue_position(model)
    if position is not None:
        since = f"{since}; {position} loads come before it" if since else f"{position} loads come before it"
    size_bytes = cache.size_bytes(model) or (departed.size_bytes if departed else 0)
    return Recalled(
        state="" if state is None else state.value,
        since=since,
        departed="" if departed is None else str(_departure(departed)),
        departed_ms=0 if departed is None else now_ms - round((now_s - departed.at_s) * 1e3),
        size_bytes=size_bytes,
    )


def _departure(departed: CacheDeparture) -> Departure:
    """What the cache remembers, as whoever asks reads it."""
    why = _GONE.get(departed.cause, Gone.OTHER)
    if why is Gone.EVICTED:
        told = departed.because
        room_for = ModelId(told.removeprefix(ROOM_FOR)) if told.startswith(ROOM_FOR) else None
        return evicted(room_for, uses=departed.uses, load_s=departed.load_s, size_bytes=departed.size_bytes)
    for each in (Gone.SURPLUS, Gone.LEFT):
        if departed.because.startswith(f"{each.value}: "):
            return Departure(why=each, words=departed.because.removeprefix(f"{each.value}: "))
    return Departure(why=why)
