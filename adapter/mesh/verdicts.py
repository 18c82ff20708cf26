"""What becomes of a request, or of a wish for a copy: each verdict with its reason, for people."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapter.domain.errors import Code
from adapter.domain.ids import InstanceId


@dataclass(frozen=True, slots=True)
class ServeHere:
    """The copy here answers; if it is still loading, the request waits for it."""

    because: str


@dataclass(frozen=True, slots=True)
class ForwardTo:
    """The copy there answers; if it is still loading, the request waits there."""

    instance: InstanceId
    because: str


@dataclass(frozen=True, slots=True)
class LoadHere:
    """There is no usable copy: load one here, then answer."""

    because: str


@dataclass(frozen=True, slots=True)
class LoadAt:
    """There is no usable copy: that instance is to load one, and answer."""

    instance: InstanceId
    because: str


@dataclass(frozen=True, slots=True)
class Reject:
    """Nobody can answer."""

    code: Code
    text: str
    """With what is missing, and what would change it."""


Route = ServeHere | ForwardTo | LoadHere | LoadAt | Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where a copy is to be loaded."""

    instance: InstanceId
    because: str
    refused: Mapping[InstanceId, str] = field(default_factory=dict)
    """The others that were no candidates at all, each with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No instance may load it."""

    code: Code
    because: str
    refused: Mapping[InstanceId, str] = field(default_factory=dict)


Placement = Placed | Refused
