"""What those are told whose model is not loaded: with the figures, and what to do."""

from adapter.cache.bounds import CacheBounds
from adapter.cache.copies import Bound
from adapter.domain.errors import CacheBusy, ModelNotFound, ModelTooBig, Refused
from adapter.domain.ids import ModelId


def too_big(model: ModelId, *, needs_bytes: int, room_bytes: int) -> ModelTooBig:
    """With the figures, and what to do."""
    return ModelTooBig(
        f"{model} needs {needs_bytes} bytes of memory, and this instance has {room_bytes} for all of its; "
        "give the runtime's container more memory (CONTAINER_MEM_REQ_BYTES), or make the model smaller"
    )


def gone(model: ModelId, *, unregistered: bool, because: str = "") -> Refused:
    """What those are told who waited for a model that goes."""
    if unregistered:
        return ModelNotFound(f"model {model} was unregistered while it was being loaded")
    how = because or "unloaded on demand"
    return Refused(f"model {model} was {how} while it was being loaded; a new request loads it")


def all_pinned(model: ModelId, *, needs_bytes: int, pinned_bytes: int, room_bytes: int) -> CacheBusy:
    """What is pinned by rule would have to go, and does not."""
    return CacheBusy(
        f"{model} needs {needs_bytes} bytes, and {pinned_bytes} of {room_bytes} bytes are taken by models "
        "that are pinned here; unpin some of them (copyRules.pin), or add an instance"
    )


def no_room(  # noqa: PLR0913 - figures, each by name
    model: ModelId,
    *,
    needs_bytes: int,
    missing_bytes: int,
    room_bytes: int,
    bound: Bound,
    guarded_for_s: float,
    bounds: CacheBounds,
) -> CacheBusy:
    """It waited for too long."""
    why = [f"{bound.in_use_bytes} of {room_bytes} bytes are in use by requests"]
    if bound.guarded_bytes:
        why.append(
            f"{bound.guarded_bytes} are models loaded a moment ago, which are kept for "
            f"{bounds.churn_factor:g} times as long as their loads took, the last for "
            f"{guarded_for_s:.1f} s more"
        )
    if bound.pinned_bytes:
        why.append(f"{bound.pinned_bytes} are models that are pinned here")
    return CacheBusy(
        f"{model} needs {needs_bytes} bytes, and found no room within {bounds.waiting_for_room_s_max:g} s: "
        f"{missing_bytes} are missing, since {', '.join(why)}; try again, or add an instance"
    )
