"""What a runtime says of itself, and of a model it loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


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
    """By full method name (`package.Service/Method`), the path of the field that takes the model's id.

    Empty: every method is allowed. A method with an empty path is allowed, and nothing is injected.
    """
    any_method: bool = False
    """Methods beside those listed are allowed too."""
    limit_model_concurrency: bool = False
    reason: str = ""
    """Why it is not ready, if it says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """What a runtime answers to a load."""

    size_bytes: int | None
    """What it holds in memory; None: ask for the size later."""
    concurrency_max: int | None = None
