"""Types of models that somebody waits for while no instance may serve them: their runtimes are to be started.

A type is wanted while calls wait for it, and a little longer: clients with short deadlines come again, and
what is told of them is not to be taken back and told anew each time.
"""

from collections.abc import Mapping
from typing import Final

from adapter.domain.ids import InstanceId
from adapter.mesh.constraints import TypeConstraints
from adapter.mesh.view import InstanceState

TYPES_MAX: Final = 64
"""So many types are told of; calls for others are not held."""
TYPE_CHARS_MAX: Final = 1024
"""A longer name is no runtime's."""
LINGER_S: Final = 5.0
"""A type is wanted for so long after the last call for it has ceased to wait."""


def is_served(
    type_: str, instances: Mapping[InstanceId, InstanceState], constraints: TypeConstraints
) -> bool:
    """Whether some instance may load models of this type, and is not about to leave."""
    return any(
        not state.record.draining
        and state.record.capacity_bytes > 0
        and not constraints.missing(type_, state.record.labels)
        for state in instances.values()
    )


class WantedTypes:
    """How many calls wait for each type, and when the last one ceased to."""

    def __init__(self) -> None:
        self._waiting: dict[str, int] = {}
        """0: it lingers."""
        self._ends_s: dict[str, float] = {}
        """When those that linger are wanted no more."""

    def __repr__(self) -> str:
        return f"<WantedTypes {', '.join(self.types) or 'none'}>"

    @property
    def types(self) -> tuple[str, ...]:
        """All that are wanted, sorted."""
        return tuple(sorted(self._waiting))

    @property
    def waiting(self) -> int:
        """Calls that wait, in all."""
        return sum(self._waiting.values())

    @property
    def due_s(self) -> float | None:
        """When the next one is wanted no more; None: none lingers."""
        return min(self._ends_s.values(), default=None)

    def add(self, type_: str) -> bool:
        """One more call waits; False: there are too many types, or this is none."""
        known = type_ in self._waiting
        if not known and (len(self._waiting) >= TYPES_MAX or not 0 < len(type_) <= TYPE_CHARS_MAX):
            return False
        self._waiting[type_] = self._waiting.get(type_, 0) + 1
        self._ends_s.pop(type_, None)
        return True

    def leave(self, type_: str, now_s: float) -> None:
        """One that was added waits no more."""
        self._waiting[type_] -= 1
        if not self._waiting[type_]:
            self._ends_s[type_] = now_s + LINGER_S

    def pass_time(self, now_s: float) -> None:
        """Forget what has lingered for long enough."""
        for type_ in [type_ for type_, ends_s in self._ends_s.items() if ends_s <= now_s]:
            del self._ends_s[type_], self._waiting[type_]

    def check(self) -> None:
        """Whoever waits does not linger."""
        assert len(self._waiting) <= TYPES_MAX
        assert self._ends_s.keys() == {type_ for type_, calls in self._waiting.items() if not calls}
