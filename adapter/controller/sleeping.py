"""Which runtimes sleep because nobody asks, and what keeps them awake: `scale_to_zero.idle_s`."""

from collections.abc import Sequence
from functools import partial

from adapter.controller.doors import Doors
from adapter.controller.keys import ModelKey, RuntimeKey
from adapter.controller.scale_to_zero import Memory, memory_in, sleeps
from adapter.controller.statuses import times
from adapter.controller.usage import Usage
from adapter.controller.world import World
from adapter.domain.specs import ModelSpec, RuntimeSpec


class Sleeping:
    """Asks `Usage` and the fleet. While the setting is off, nothing sleeps."""

    def __init__(self, world: World, doors: Doors, usage: Usage) -> None:
        self._world = world
        self._doors = doors
        self._usage = usage
        self._declared: dict[ModelKey, str] = {}
        """The model that each was declared to be, as far as that was noted."""

    @property
    def is_on(self) -> bool:
        return self._world.config.scale_to_zero.idle_s > 0

    def note(self, key: ModelKey, spec: ModelSpec, target: str, able: Sequence[RuntimeSpec]) -> None:
        """The model is declared so. One that is new, or has changed, is to be tried: its runtimes wake.

        `target` is its id in the mesh; of a change nobody says when it was made, so that is now.
        """
        before = self._declared.get(key)
        if target == before:
            return
        self._declared[key] = target
        now_ms = self._doors.clock.epoch_ms()
        # The API server has a clock of its own.
        at_ms = min(times.read(spec.identity.created) or 0, now_ms) if before is None else now_ms
        for runtime in able:
            self._usage.declared(RuntimeKey(key.namespace, runtime.name), at_ms)

    def forget(self, key: ModelKey) -> None:
        """It is not declared any more."""
        self._declared.pop(key, None)

    def is_asleep(self, namespace: str, able: Sequence[RuntimeSpec]) -> bool:
        """Whether all of these, which may serve a model, sleep; the first request wakes them."""
        if not (self.is_on and able):
            return False
        return all(self._sleeps(RuntimeKey(namespace, runtime.name)) for runtime in able)

    def wanted_ms(self, runtime: RuntimeKey, memory: Memory) -> int | None:
        """When it was asked last; None: that is not known, as while it only starts."""
        if not self.is_on or (memory.running and not self._usage.runs(runtime)):
            return None
        return self._usage.last_wanted_ms(runtime, serves=partial(self._world.serves, runtime))

    def _sleeps(self, runtime: RuntimeKey) -> bool:
        health = self._doors.fleet.health(runtime.namespace, runtime.name)
        memory = memory_in(health.marks, running=health.wanted > 0)
        return sleeps(memory, self.wanted_ms(runtime, memory))
