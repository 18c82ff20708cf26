"""What an entry of the cache is to the rest of the mesh."""

from collections.abc import Mapping
from typing import Final

from adapter.cache.cache_view import CacheView
from adapter.cache.entry import EntryState
from adapter.domain.ids import ModelId
from adapter.domain.records import CopyState

_HELD: Final[Mapping[EntryState, CopyState]] = {
    EntryState.QUEUED: CopyState.LOADING,
    EntryState.PULLING: CopyState.LOADING,
    EntryState.WAITING: CopyState.LOADING,
    EntryState.LOADING: CopyState.LOADING,
    EntryState.SIZING: CopyState.LOADED,
    EntryState.ACTIVE: CopyState.LOADED,
}


def held(cache: CacheView, model: ModelId) -> CopyState | None:
    """Whether the model is loaded here, or being loaded; None: neither, or it is on its way out."""
    state = cache.state(model)
    return None if state is None else _HELD.get(state)
