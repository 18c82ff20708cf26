"""What this instance knows, in lines for people (reference: ModelMesh core 1.3, the two magic ids)."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from adapter.cache.model_cache import ModelCache
from adapter.instance.mesh_state import MeshState
from adapter.mesh.wording import in_bytes

MODELS_MAX: Final = 1000
"""So many models are listed, those used last first."""


def state_lines(cache: ModelCache, state: MeshState, *, now_s: float) -> Iterator[str]:
    """The cache first, then the mesh as it is seen from here."""
    yield (
        f"CACHESTATE: {state.here}: {cache.copies} copies, {in_bytes(cache.used_bytes)} of "
        f"{in_bytes(cache.capacity_bytes)} used"
    )
    models = sorted(cache, key=lambda model: -(cache.used_s(model) or 0.0))
    for model in islice(models, MODELS_MAX):
        entry, worth = cache.state(model), cache.worth(model, now_s)
        size = "" if worth is None else f", {in_bytes(worth.size_bytes)}, {worth.uses} uses"
        yield f"CACHESTATE: {model}: {'gone' if entry is None else entry.value}{size}"
    if len(models) > MODELS_MAX:
        yield f"CACHESTATE: and {len(models) - MODELS_MAX} more"
    yield f"CLUSTSTATE: the leader is {state.leader}"
    for id_, each in sorted(state.view.instances.items()):
        record = each.record
        yield (
            f"CLUSTSTATE: {id_} at {record.address or 'no address'}: {each.copies} copies, "
            f"{in_bytes(each.used_bytes)} of {in_bytes(record.capacity_bytes)} used, {record.rpm} calls/min"
            f"{', drains' if record.draining else ''}"
        )
