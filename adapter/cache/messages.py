"""What the cache is told, and what it answers.

`CacheEvent`s come from whoever carries out the commands, and from those who register and ask. Of the commands
these are answered by exactly one event about the same model:

    StartPull    Pulled or LoadFailed, and sooner after a StopPull
    StartLoad    Loaded or LoadFailed
    MeasureSize  Sized
    StartUnload  Unloaded; none after a RuntimeReset, which ends the unloads under way

Commands about one model are carried out one after the other, in the order in which they were given.
Times are seconds of one clock that only goes forward, sizes are bytes.
"""

from dataclasses import dataclass, replace

from adapter.cache.failures import Failure
from adapter.domain.ids import ModelId


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequested:
    """The model is to be loaded. Answered by `Settled`, at once or later."""

    model: ModelId
    type: str
    waiting: bool
    """Somebody waits for it; otherwise it is background work."""
    used_s: float
    """When it was last used: orders the background work."""
    pinned: bool | None = None
    """Its copy is not to be evicted; None: as it was told before, else it may be."""

    def joined(self, earlier: "LoadRequested | None") -> "LoadRequested":
        """One request for both; this one, the later, knows the type that is registered now."""
        if earlier is None:
            return self
        waiting = self.waiting or earlier.waiting
        pinned = earlier.pinned if self.pinned is None else self.pinned
        return replace(self, waiting=waiting, used_s=max(self.used_s, earlier.used_s), pinned=pinned)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """The files are on the disk."""

    model: ModelId
    disk_bytes: int | None
    """Their size; None: they are not ours to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The runtime holds the model, and it can be used."""

    model: ModelId
    size_bytes: int | None
    """What it holds in memory; None: it must be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """The runtime was asked for the size."""

    model: ModelId
    size_bytes: int | None
    """None: it could not tell, and the prediction stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFailed:
    """The pull or the load failed. The runtime does not hold the model, and a failed pull left no files."""

    model: ModelId
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Unloaded:
    """The unload has ended, well or for good, and the files are gone."""

    model: ModelId
    failure: str | None = None
    """Why the runtime still holds it, after the last try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyLost:
    """The runtime says that it does not hold this model, which should be loaded."""

    model: ModelId


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeReset:
    """The runtime holds nothing any more. Loads under way still report how they ended; unloads do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """The model is to go: unload it, and forget it and its failure."""

    model: ModelId
    unregistered: bool = True
    """Else its unload was asked for, and the next request loads it again."""
    because: str = ""
    """Who asked for the unload, or why: "scaled down", "drained"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinRuled:
    """The rule for this model has changed: its copy is not to be evicted, or may be."""

    model: ModelId
    pinned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandoned:
    """The last who waited for the load has left, and it was no background work.

    Unless somebody comes back soon, a load that the runtime does not know of yet is given up.
    """

    model: ModelId


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time has passed: bounds on waiting are looked at. Told about once a second, and when `WakeAt` says."""


CacheEvent = (
    LoadRequested
    | Pulled
    | Loaded
    | Sized
    | LoadFailed
    | Unloaded
    | CopyLost
    | RuntimeReset
    | Dropped
    | PinRuled
    | Abandoned
    | Tick
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPull:
    """Bring the files to the disk."""

    model: ModelId


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPull:
    """End the pull under way, which is for nobody any more, and discard what there is of it."""

    model: ModelId


@dataclass(frozen=True, slots=True, kw_only=True)
class StartLoad:
    """Have the runtime load the pulled files."""

    model: ModelId
    size_hint_bytes: int
    """The predicted size in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSize:
    """Ask the runtime what the loaded model holds."""

    model: ModelId


@dataclass(frozen=True, slots=True, kw_only=True)
class StartUnload:
    """Have the runtime unload the model, then discard its files."""

    model: ModelId
    cause: str
    makes_room: bool = False
    """It is evicted, rather than asked to go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardFiles:
    """Discard the files of a model that was pulled and is not loaded."""

    model: ModelId


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Those who wait for the model can go on, or fail. Given even when nobody waits."""

    model: ModelId
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeAt:
    """Something can go on at that time, if nothing happens before: tell a `Tick` then."""

    model: ModelId
    """Who waits."""
    at_s: float


CacheCommand = StartPull | StopPull | StartLoad | MeasureSize | StartUnload | DiscardFiles | Settled | WakeAt
