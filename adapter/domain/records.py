"""What the registry stores."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What a model is and where it lies, as it was registered (`mmesh.ModelInfo`).

    The three are opaque to the mesh: the puller and the runtime read them.
    """

    type: str
    path: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """A registration (reference: ModelMesh core 3.4)."""

    info: ModelInfo
    last_used_ms: int = 0
    """Milliseconds since the epoch; written rarely, never per request."""
    unknown: dict[str, object] = field(default_factory=dict)
    """Fields that we do not know, kept so that a newer writer's are not lost."""
