"""What the registry no longer stands behind: copies of models that are not registered, and aliases of them.

The registry may hold more names than fit here, so they go by page by page, and each is taken off the set of
those that were looked for; what is left at the end is not registered. That is believed when two passes say
so: a registration may come while a pass goes by. And it is not believed when most of what is held would have
to go: then the registry was emptied or restored, and to serve on is better than to believe it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from adapter.domain.ids import ModelId

SUSPICIOUS_SHARE: Final = 0.5
SUSPICIOUS_MIN: Final = 3
"""That more than half of what is held has no registration, and so many, is hard to believe."""


class Pass:
    """One look at all names, in pages, for those that are looked for."""

    def __init__(self, looked_for: Iterable[str]) -> None:
        self._missing = set(looked_for)
        self.looked_for = len(self._missing)
        """How many names, at the beginning."""
        self.complete = False

    def page(self, names: Iterable[str], *, last: bool) -> None:
        """Names that are registered. The pass counts only when the last page was there."""
        self._missing.difference_update(names)
        self.complete = self.complete or last

    @property
    def missing(self) -> frozenset[str]:
        """What was looked for and not found; nothing as long as pages may follow."""
        return frozenset(self._missing) if self.complete else frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaped:
    """What one pass means for the copies that are held."""

    drop: tuple[ModelId, ...] = ()
    """To be unloaded and forgotten: they are not registered."""
    doubts: str = ""
    """Why nothing is dropped although much is not registered; for the log."""


class Reaper:
    """Remembers what the pass before did not find."""

    def __init__(self) -> None:
        self._suspected: frozenset[str] = frozenset()

    def judge(self, done: Pass) -> Reaped:
        """What is to be dropped after this pass, which looked for all copies here."""
        if not done.complete:
            return Reaped()
        missing = done.missing
        confirmed = missing & self._suspected
        self._suspected = missing
        if len(missing) >= SUSPICIOUS_MIN and len(missing) > SUSPICIOUS_SHARE * done.looked_for:
            return Reaped(
                doubts=f"{len(missing)} of {done.looked_for} models held here are not registered: if the "
                "registry was emptied, register them again; they are served until then"
            )
        return Reaped(drop=tuple([ModelId(name) for name in sorted(confirmed)]))
