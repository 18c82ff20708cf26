"""How many instances a runtime has: none if no model needs it, and by a setting of ours if nobody asks.

Reference: serving controller 3.13. A pure machine: what it must remember is a `Memory`, which is kept as
annotations of what runs (the Deployment), so that a restart of the controller neither cuts a grace period
short (D20) nor wakes what sleeps. What runs must have been read before the machine is asked the first time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from adapter.controller.config import ScaleToZero

UNNEEDED_SINCE: Final = "remesh.io/unneeded-since"
ASLEEP_SINCE: Final = "remesh.io/asleep-since"
_MS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is known of a runtime from before."""

    running: bool = False
    """It was given instances, whether they are ready or not."""
    unneeded_since_ms: int | None = None
    """When its last model went; None: it has models, or never had."""
    asleep_since_ms: int | None = None
    """When it was stopped because nobody asked; None: it is awake."""

    @property
    def marks(self) -> Mapping[str, str]:
        """As annotations, by which `memory_in` finds it again."""
        times = {UNNEEDED_SINCE: self.unneeded_since_ms, ASLEEP_SINCE: self.asleep_since_ms}
        return {name: _written(time_ms) for name, time_ms in times.items() if time_ms is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What there is for a runtime to do."""

    models: bool
    """Some valid model of the namespace may be served by it."""
    last_wanted_ms: int | None = None
    """When one of them was last asked, or declared anew; while requests wait for it: now. None: unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How many instances there are to be."""

    replicas: int
    memory: Memory
    """To be kept, and handed in the next time."""
    because: str
    look_again_s: float | None = None
    """When the verdict changes by time alone; None: never."""


def memory_in(annotations: Mapping[str, str], *, running: bool) -> Memory:
    """What the annotations of what runs say; without them, or with others, nothing is remembered."""
    return Memory(
        running=running,
        unneeded_since_ms=_read(annotations.get(UNNEEDED_SINCE)),
        asleep_since_ms=_read(annotations.get(ASLEEP_SINCE)),
    )


def sleeps(memory: Memory, last_wanted_ms: int | None) -> bool:
    """Whether it was stopped because nobody asked, and nobody has asked since."""
    asleep_ms = memory.asleep_since_ms
    return asleep_ms is not None and (last_wanted_ms is None or last_wanted_ms < asleep_ms)


def scaled(setting: ScaleToZero, *, base: int, need: Need, memory: Memory, now_ms: int) -> Scale:
    """How many now; `base` is how many there are while it is needed."""
    if base <= 0:
        return Scale(replicas=0, memory=Memory(), because="it is to have no replicas")
    if need.models and setting.idle_s > 0:
        return _by_use(setting.idle_s, base, need, memory, now_ms)
    if need.models:
        return _on(base, "a model needs it")
    if not setting.enabled:
        return _on(base, "scale to zero is off")
    return _without_models(setting.grace_s, base, memory, now_ms)


def _without_models(grace_s: float, base: int, memory: Memory, now_ms: int) -> Scale:
    if not memory.running:
        return Scale(replicas=0, memory=Memory(), because="no model needs it")
    since_ms = now_ms if memory.unneeded_since_ms is None else min(memory.unneeded_since_ms, now_ms)
    left_ms = since_ms + grace_s * _MS - now_ms
    if left_ms <= 0:
        return Scale(
            replicas=0, memory=Memory(), because=f"no model has needed it for the grace period, {grace_s:g} s"
        )
    return Scale(
        replicas=base,
        memory=Memory(running=True, unneeded_since_ms=since_ms),
        because="no model needs it; the grace period is not over",
        look_again_s=left_ms / _MS,
    )


def _by_use(idle_s: float, base: int, need: Need, memory: Memory, now_ms: int) -> Scale:
    asleep_ms, wanted_ms = memory.asleep_since_ms, need.last_wanted_ms
    if asleep_ms is not None:
        if sleeps(memory, wanted_ms):
            return Scale(
                replicas=0,
                memory=Memory(asleep_since_ms=asleep_ms),
                because="it sleeps; the first request wakes it",
            )
        return replace(_on(base, "it was asked for"), look_again_s=idle_s)
    if wanted_ms is None or not memory.running:
        return replace(_on(base, "a model needs it"), look_again_s=idle_s)
    left_ms = min(wanted_ms, now_ms) + idle_s * _MS - now_ms
    if left_ms <= 0:
        return Scale(
            replicas=0,
            memory=Memory(asleep_since_ms=now_ms),
            because=f"nobody has asked its models for {idle_s:g} s",
        )
    return replace(_on(base, "its models are in use"), look_again_s=left_ms / _MS)


def _on(base: int, because: str) -> Scale:
    return Scale(replicas=base, memory=Memory(running=True), because=because)


def _written(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms / _MS, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read(text: str | None) -> int | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * _MS)
