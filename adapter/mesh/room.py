"""How much room the instances have together, and how old what they hold is (ModelMesh core 4.20)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from adapter.mesh.view import InstanceState

FULL_SHARE: Final = 0.05
"""An instance with less than this share of its capacity free is full: what is left is no room for anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Of the instances that may hold a type of model and do not drain."""

    instances: int = 0
    capacity_bytes: int = 0
    free_bytes: int = 0
    """Of those that are not full."""
    coldest_ms: int | None = None
    """When the copy that is unused for longest was last used; None: they hold none."""

    @property
    def free_share(self) -> float:
        """Between 0 and 1; without any capacity there is nothing free."""
        return self.free_bytes / self.capacity_bytes if self.capacity_bytes else 0.0

    def age_ms(self, now_ms: int) -> int:
        """For how long the coldest copy was not used: so long a copy lasts here without being used."""
        return 0 if self.coldest_ms is None else max(now_ms - self.coldest_ms, 0)


def room_of(instances: Iterable[InstanceState]) -> Room:
    """The room of those of them that do not drain."""
    staying = [instance for instance in instances if not instance.record.draining]
    coldest = [i.record.coldest_ms for i in staying if i.record.coldest_ms is not None]
    return Room(
        instances=len(staying),
        capacity_bytes=sum([i.record.capacity_bytes for i in staying]),
        free_bytes=sum([i.free_bytes for i in staying if not _is_full(i)]),
        coldest_ms=min(coldest) if coldest else None,
    )


def _is_full(instance: InstanceState) -> bool:
    """Whether a further copy would have others evicted, as a rule."""
    return instance.free_bytes < FULL_SHARE * instance.record.capacity_bytes
