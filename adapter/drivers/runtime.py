"""The seam of the runtimes: what a driver must do, and what a runtime says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo


class RuntimeState(Enum):
    """Whether the runtime can be told to load (`mmesh.RuntimeStatusResponse.Status`)."""

    STARTING = "starting"
    READY = "ready"
    FAILING = "failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeStatus:
    """What a runtime says of itself, in the terms of the SPI (reference: ModelMesh core 1.5)."""

    state: RuntimeState
    capacity_bytes: int = 0
    loading_concurrency: int = 1
    loading_timeout_s: float = 30.0
    default_model_bytes: int = 1_000_000
    version: str = ""
    methods: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By full method name, the path of the field that takes the model's id; empty: any method goes."""
    any_method: bool = False
    """Methods beside those listed go too."""
    limit_model_concurrency: bool = False
    reason: str = ""
    """Why it is not ready, if it says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """What a runtime answers to a load."""

    size_bytes: int | None
    """What it holds in memory; None: ask `size_bytes` later."""
    concurrency_max: int | None = None


class RuntimeDriver(Protocol):
    """Tells one runtime what to do.

    All four raise `RuntimeUnavailable` when the runtime does not answer, and never a grpc error.
    """

    async def status(self) -> RuntimeStatus:
        """Ask for the state. Once it says READY, the runtime holds no model."""
        ...

    async def load(self, model: ModelId, info: ModelInfo, *, size_hint_bytes: int) -> LoadedModel:
        """Load what lies ready for the runtime.

        `info.path` is the local path and `info.key` the rewritten key (reference: runtime adapter 2.6);
        `size_hint_bytes` is what the files on disk let one expect. Raises `ModelCorrupt`,
        `FormatUnsupported`, `ObjectMissing` or `RuntimeFailed`. Cancelling cancels the call; an unload of the
        same model must follow.
        """
        ...

    async def unload(self, model: ModelId) -> None:
        """Unload; what is not loaded counts as unloaded."""
        ...

    async def size_bytes(self, model: ModelId) -> int | None:
        """What the loaded model holds in memory, if the runtime can tell."""
        ...
