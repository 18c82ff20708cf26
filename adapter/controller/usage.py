"""When each runtime was wanted last, as the instances of its mesh tell it, and people: for scaling to zero.

Instances tell since when they are idle, and which types of models calls are held for. A model that is
declared anew is to be tried, and so its runtimes are wanted at that moment.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapter.controller.keys import RuntimeKey
from adapter.controller.selection.labels import RUNTIME_PREFIX
from adapter.domain.records import InstanceRecord

TYPES_KEPT_MAX: Final = 1000
"""Of each namespace: types that calls were held for, and are no more."""

Waiting = Mapping[str, Sequence[str]]
"""By instance: the types that it holds calls for."""


@dataclass(slots=True)
class _Mesh:
    """What is known of one namespace."""

    idle_ms: dict[str, dict[str, int | None]] = field(default_factory=dict)
    """By runtime and instance: since when it is idle; None: it is not."""
    waiting: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By instance."""
    waited_ms: dict[str, int] = field(default_factory=dict)
    """By type: when the last call for it was held, of those that are held for no more."""
    declared_ms: dict[str, int] = field(default_factory=dict)
    """By runtime: when one of its models was declared last."""
    called_ms: int | None = None
    """When somebody called while nothing ran."""

    @property
    def wanted(self) -> set[str]:
        """The types that calls are held for."""
        return {type_ for types in self.waiting.values() for type_ in types}


class Usage:
    """Takes note of what is told, and says which runtimes are to be looked at because of it."""

    def __init__(
        self,
        *,
        tell: Callable[[RuntimeKey], None],
        runtimes: Callable[[str], Iterable[str]],
        now_ms: Callable[[], int],
    ) -> None:
        """`runtimes` says which there are in a namespace."""
        self._tell = tell
        self._runtimes = runtimes
        self._now_ms = now_ms
        self._meshes: dict[str, _Mesh] = {}

    # What is asked.

    def runs(self, runtime: RuntimeKey) -> bool:
        """Whether an instance of it has told anything; one that only starts is not idle."""
        mesh = self._meshes.get(runtime.namespace)
        return mesh is not None and bool(mesh.idle_ms.get(runtime.name))

    def last_wanted_ms(self, runtime: RuntimeKey, *, serves: Callable[[str], bool]) -> int | None:
        """When it was wanted last; now, while it has something to do. None: never, as far as is known.

        `serves` says whether it may serve a type of models.
        """
        mesh = self._meshes.get(runtime.namespace)
        if mesh is None:
            return None
        if any(map(serves, mesh.wanted)):
            return self._now_ms()
        idle_ms = mesh.idle_ms.get(runtime.name, {}).values()
        told = [
            *(self._now_ms() if since_ms is None else since_ms for since_ms in idle_ms),
            *(waited_ms for type_, waited_ms in mesh.waited_ms.items() if serves(type_)),
            *(each for each in (mesh.declared_ms.get(runtime.name), mesh.called_ms) if each is not None),
        ]
        return max(told, default=None)

    # What is told.

    def instances(self, namespace: str, records: Mapping[str, InstanceRecord]) -> None:
        """These instances are there, and no others."""
        mesh = self._mesh(namespace)
        idle_ms: dict[str, dict[str, int | None]] = {}
        for instance, record in records.items():
            if runtime := _runtime_of(record):
                idle_ms.setdefault(runtime, {})[instance] = record.idle_since_ms
        before, mesh.idle_ms = mesh.idle_ms, idle_ms
        for runtime in {*before, *idle_ms}:
            if before.get(runtime) != idle_ms.get(runtime):
                self._tell(RuntimeKey(namespace, runtime))

    def instance(self, namespace: str, instance: str, record: InstanceRecord | None) -> None:
        """What one tells of itself now; None: it has left."""
        mesh, now = self._mesh(namespace), None if record is None else _runtime_of(record)
        for runtime in [name for name, there in mesh.idle_ms.items() if instance in there and name != now]:
            del mesh.idle_ms[runtime][instance]
            self._tell(RuntimeKey(namespace, runtime))
        if record is None or not now:
            return
        there = mesh.idle_ms.setdefault(now, {})
        if instance not in there or there[instance] != record.idle_since_ms:
            there[instance] = record.idle_since_ms
            self._tell(RuntimeKey(namespace, now))

    def waiting(self, namespace: str, told: Waiting) -> None:
        """Calls are held for these types, and for no others."""
        mesh = self._mesh(namespace)
        before, now = mesh.wanted, {type_ for types in told.values() for type_ in types}
        mesh.waiting = {instance: tuple(types) for instance, types in told.items() if types}
        for type_ in before - now:
            mesh.waited_ms.pop(type_, None)
            mesh.waited_ms[type_] = self._now_ms()
        while len(mesh.waited_ms) > TYPES_KEPT_MAX:
            del mesh.waited_ms[next(iter(mesh.waited_ms))]
        if before != now:
            self._tell_all(namespace)

    def waits(self, namespace: str, instance: str, types: Sequence[str]) -> None:
        """One holds calls for these types now; empty: for none."""
        self.waiting(namespace, {**self._mesh(namespace).waiting, instance: types})

    def declared(self, runtime: RuntimeKey, at_ms: int) -> None:
        """One of its models was created, or changed."""
        declared_ms = self._mesh(runtime.namespace).declared_ms
        if at_ms > declared_ms.get(runtime.name, 0):
            declared_ms[runtime.name] = at_ms
            self._tell(runtime)

    def called(self, namespace: str) -> None:
        """Somebody calls, and nothing runs that could say for what."""
        self._mesh(namespace).called_ms = self._now_ms()
        self._tell_all(namespace)

    def forget(self, namespace: str) -> None:
        """It is not looked after any more."""
        self._meshes.pop(namespace, None)

    def _tell_all(self, namespace: str) -> None:
        for runtime in self._runtimes(namespace):
            self._tell(RuntimeKey(namespace, runtime))

    def _mesh(self, namespace: str) -> _Mesh:
        return self._meshes.setdefault(namespace, _Mesh())


def _runtime_of(record: InstanceRecord) -> str:
    """Whose instance it is; empty: of none that was declared."""
    names = (label for label in record.labels if label.startswith(RUNTIME_PREFIX))
    return next(names, "").removeprefix(RUNTIME_PREFIX)
