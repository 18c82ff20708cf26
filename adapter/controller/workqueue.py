"""Which objects are to be looked at, each at most once at a time, those that failed after a pause.

As client-go's work queue: a key that comes while it is worked on is looked at again afterwards; keys that
come often before anybody has time for them are looked at once. What is only routine comes after all that
somebody waits for. Time is an argument.
"""

import heapq
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

K = TypeVar("K")

PAUSE_S_FIRST: Final = 0.2
PAUSE_S_MAX: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Pauses after failures in a row: doubling from the first to the longest."""

    first_s: float = PAUSE_S_FIRST
    longest_s: float = PAUSE_S_MAX

    def pause_s(self, failures: int) -> float:
        """After so many failures in a row; the first is 1."""
        # Beyond this many doublings the longest is reached in any case, and floats would overflow.
        return min(self.first_s * 2.0 ** min(failures - 1, 64), self.longest_s)


class WorkQueue(Generic[K]):
    """Keys that wait, are worked on, or are to come back later."""

    def __init__(self, backoff: Backoff = Backoff()) -> None:
        self._backoff = backoff
        self._waiting: OrderedDict[K, None] = OrderedDict()
        self._routine: OrderedDict[K, None] = OrderedDict()
        """They wait, too, and have time."""
        self._taken: set[K] = set()
        self._again: set[K] = set()
        """Taken, and added meanwhile."""
        self._failures: dict[K, int] = {}
        self._due_s: dict[K, float] = {}
        self._later: list[tuple[float, int, K]] = []
        self._order = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._routine)

    def add(self, key: K, *, routine: bool = False) -> None:
        """It is to be looked at now; what is routine, when there is nothing else."""
        self._due_s.pop(key, None)
        if key in self._taken:
            self._again.add(key)
        elif key in self._waiting:
            return
        elif routine:
            self._routine.setdefault(key)
        else:
            self._routine.pop(key, None)
            self._waiting[key] = None

    def add_later(self, key: K, at_s: float) -> None:
        """It is to be looked at then, or sooner if it is wanted sooner."""
        if key in self._waiting or key in self._routine or self._due_s.get(key, at_s + 1.0) <= at_s:
            return
        self._due_s[key] = at_s
        self._order += 1
        heapq.heappush(self._later, (at_s, self._order, key))

    def take(self, now_s: float) -> K | None:
        """The next one, to be given back with `done` or `failed`; None: none is due."""
        while (due_s := self.next_due_s()) is not None and due_s <= now_s:
            _, _, key = heapq.heappop(self._later)
            self.add(key)
        lane = self._waiting or self._routine
        if not lane:
            return None
        key, _ = lane.popitem(last=False)
        self._taken.add(key)
        return key

    def next_due_s(self) -> float | None:
        """When the next of those that come later does."""
        while self._later and self._due_s.get(self._later[0][2]) != self._later[0][0]:
            heapq.heappop(self._later)  # it was wanted sooner, or not any more
        return self._later[0][0] if self._later else None

    def done(self, key: K, *, again_at_s: float | None = None) -> None:
        """It was looked at, and is to be again at that time, if any."""
        self._failures.pop(key, None)
        self._given_back(key, again_at_s)

    def failed(self, key: K, now_s: float) -> float:
        """It could not be; when it will be tried again."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        again_at_s = now_s + self._backoff.pause_s(failures)
        self._given_back(key, again_at_s)
        return again_at_s

    def _given_back(self, key: K, again_at_s: float | None) -> None:
        self._taken.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
        elif again_at_s is not None:
            self.add_later(key, again_at_s)

    def check(self) -> None:
        """What must always hold."""
        waiting, routine = set(self._waiting), set(self._routine)
        assert not waiting & routine, "each waits once"
        assert not (waiting | routine) & self._taken, "nobody has what waits"
        assert self._again <= self._taken, "what comes again is being worked on"
