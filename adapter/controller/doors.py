"""What the controller's work is done with; a program hands it over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from adapter.aio.clock import Clock
from adapter.cluster.cluster import Cluster
from adapter.controller.config import ControllerConfig
from adapter.controller.plans import Fleet
from adapter.controller.statuses.served import served_at
from adapter.controller.verdicts import MeshAnswer, Served
from adapter.mesh.vmodels import SetVModel


class Recorder(Protocol):
    """Tells people what happened to an object."""

    def record(self, about: Mapping[str, Any], type_: str, reason: str, text: str, /) -> None:
        """`type_` is `Normal` or `Warning`. Returns at once, and never raises."""
        ...


class Meshes(Protocol):
    """The mesh of each namespace. Calls raise `AdapterError` for what no status tells; it is tried again."""

    async def put(self, namespace: str, asked: SetVModel) -> MeshAnswer:
        """Have the model registered, and the alias stand for it."""
        ...

    async def report(self, namespace: str, vmodel: str, *, owner: str) -> MeshAnswer:
        """What the mesh says of it."""
        ...

    async def forget(self, namespace: str, vmodel: str, *, owner: str) -> bool:
        """Have it forgotten; False: there is no mesh now that could be told."""
        ...

    async def drop(self, namespace: str) -> None:
        """The namespace has no mesh any more."""
        ...

    async def close(self) -> None:
        """Nothing more is asked."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The edges."""

    cluster: Cluster
    fleet: Fleet
    meshes: Meshes
    recorder: Recorder
    clock: Clock
    served: Callable[[ControllerConfig, str], Served] = served_at
    """Where clients reach the models of a namespace."""
