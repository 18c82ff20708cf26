"""When each lease ends. It is told what the store has done, and the time; it says what is due.

What a lease lives is counted in memory, so that to keep one alive costs no write. After a restart each that
the store still knows has its whole time again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from adapter.registry.sqlite_store import LeaseChange


class _Life(NamedTuple):
    ttl_s: int
    ends_s: float


class Leases:
    """The leases that live, each with its end."""

    def __init__(self, ttls_s: Mapping[int, int], *, now_s: float) -> None:
        self._lives = {lease: _Life(ttl_s, now_s + ttl_s) for lease, ttl_s in ttls_s.items()}
        self._ending: set[int] = set()

    def __repr__(self) -> str:
        return f"<Leases, {len(self)} of them>"

    def __len__(self) -> int:
        return len(self._lives)

    def changed(self, changes: Iterable[LeaseChange], *, now_s: float) -> None:
        """The store has granted these, and ended those."""
        for change in changes:
            if change.lives:
                self._lives[change.lease] = _Life(change.ttl_s, now_s + change.ttl_s)
            else:
                self._lives.pop(change.lease, None)
                self._ending.discard(change.lease)

    def keep_alive(self, lease: int, *, now_s: float) -> int:
        """From now on it lives for its whole time, so many seconds; 0: there is no such lease any more.

        One whose time is over, and that nobody has begun to end, lives on: it is this process that is late.
        """
        life = self._lives.get(lease)
        if life is None or lease in self._ending:
            return 0
        self._lives[lease] = _Life(life.ttl_s, now_s + life.ttl_s)
        return life.ttl_s

    def left_s(self, lease: int, *, now_s: float) -> tuple[int, int] | None:
        """The seconds that are left, and those that it was granted; None: there is no such lease."""
        life = self._lives.get(lease)
        return None if life is None else (int(max(life.ends_s - now_s, 0)), life.ttl_s)

    def due(self, *, now_s: float) -> Sequence[int]:
        """Those whose time is over, the first of them first; the store has to end them, come what may."""
        over = sorted((life.ends_s, lease) for lease, life in self._lives.items() if life.ends_s <= now_s)
        self._ending.update(lease for _, lease in over)
        return [lease for _, lease in over]

    def postpone(self, seconds: float) -> None:
        """All live longer: for so long this process was stopped, and could not hear who is alive."""
        self._lives = {lease: _Life(life.ttl_s, life.ends_s + seconds) for lease, life in self._lives.items()}
