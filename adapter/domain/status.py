"""States that an answer can name."""

from dataclasses import dataclass
from enum import IntEnum

from adapter.domain.ids import InstanceId


class ModelStatus(IntEnum):
    """The mesh's answer about a model; numbers are `mmesh.ModelStatusInfo.ModelStatus`'s."""

    NOT_FOUND = 0
    NOT_LOADED = 1
    LOADING = 2
    LOADED = 3
    LOADING_FAILED = 4
    UNKNOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyStatus:
    """One copy of a model, or a failed try at one."""

    instance: InstanceId
    status: ModelStatus
    since_ms: int
    """Milliseconds since the epoch: when the load began, or failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """All that a status call tells of a model (`mmesh.ModelStatusInfo`)."""

    status: ModelStatus
    errors: tuple[str, ...] = ()
    """The most recent failure first, as `CODE: description`."""
    copies: tuple[CopyStatus, ...] = ()
