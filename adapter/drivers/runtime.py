"""The seam of the runtimes: what a driver must do."""

from typing import Protocol

from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.runtime import LoadedModel, RuntimeStatus


class RuntimeDriver(Protocol):
    """Tells one runtime what to do.

    All four raise `RuntimeUnavailable` when the runtime does not answer, and never a grpc error.
    """

    async def status(self) -> RuntimeStatus:
        """Ask for the state. Once it says READY, the runtime holds no model."""
        ...

    async def load(self, model: ModelId, info: ModelInfo, *, size_hint_bytes: int) -> LoadedModel:
        """Load what lies ready for the runtime.

        `info` is what the SPI's loadModel carries: the type, the local path and the rewritten key (reference:
        runtime adapter 2.6). `size_hint_bytes` is what the files on disk let one expect in memory; a runtime
        that tells no size is taken at this word. Raises `ModelCorrupt`, `FormatUnsupported`,
        `ObjectMissing` or `RuntimeFailed`. Cancelling cancels the call; an unload must follow.
        """
        ...

    async def unload(self, model: ModelId) -> None:
        """Unload; what is not loaded counts as unloaded."""
        ...

    async def size_bytes(self, model: ModelId) -> int | None:
        """What the loaded model holds in memory, if the runtime can tell."""
        ...
