"""Where there is no runtime: the instance only passes calls on, and holds them until somebody can answer."""

from adapter.domain.errors import RuntimeUnavailable
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.runtime import LoadedModel, RuntimeState, RuntimeStatus


class NoRuntime:
    """A `RuntimeDriver` that is ready and has no room, so nothing is ever loaded with it."""

    def __init__(self, *, loading_timeout_s: float) -> None:
        """`loading_timeout_s`: what a load may take elsewhere; by it is known how long a caller waits."""
        self._loading_timeout_s = loading_timeout_s

    def __repr__(self) -> str:
        return "<NoRuntime>"

    async def status(self) -> RuntimeStatus:
        return RuntimeStatus(
            state=RuntimeState.READY, capacity_bytes=0, loading_timeout_s=self._loading_timeout_s
        )

    async def load(self, model: ModelId, info: ModelInfo, *, size_hint_bytes: int) -> LoadedModel:
        del info, size_hint_bytes
        raise RuntimeUnavailable(f"{model} cannot be loaded here: this instance has no runtime")

    async def unload(self, model: ModelId) -> None:
        del model

    async def size_bytes(self, model: ModelId) -> int | None:
        del model
        return None
