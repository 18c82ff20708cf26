"""Which of several instances should rather get a new copy (reference: ModelMesh core 4.2, 4.7).

The order, best first: one that does not drain; a newer version, unless it is saturated; one with room; one
far from the copies that there are; one whose loading queue is short; of full ones the one whose coldest
copy was used longest ago; fewer copies; more free; and so on, down to the id, so that the order is total
and every instance of the mesh finds the same.
"""

import re
from datetime import date
from functools import lru_cache
from typing import Final

from adapter.mesh.view import InstanceState

SATURATED_AGE_MS: Final = 5 * 60_000
"""A full instance whose coldest copy was used since then is saturated: another copy only makes it churn."""
QUEUED_PER_SLOT_MAX: Final = 4
"""With more loads than this for each that it does at a time, an instance's loading queue is long."""
FULL_SHARE: Final = 20
"""At the most a twentieth of the capacity need be free for loads beyond the next one."""

_UNIX_DAY: Final = date(1970, 1, 1).toordinal()
_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 1440 * _MINUTE_MS
_DATED: Final = re.compile(r".+-([0-9]{4})([0-9]{2})([0-9]{2})-([0-9]{1,9})")
_TIMED: Final = re.compile(
    r"(?:.+-)?([0-9]{4})([0-9]{2})([0-9]{2})-([01][0-9]|2[0-3])([0-5][0-9])(?:-([0-9]{1,9}))?"
)

NEAR_NONE: Final = 0
"""Neither its zone nor its machine holds a copy of the model."""
SAME_ZONE: Final = 1
SAME_LOCATION: Final = 2


class Standing:
    """How one instance stands, of those that may get a copy."""

    __slots__ = (
        "coldest_ms",
        "copies",
        "free_bytes",
        "is_full",
        "key",
        "near",
        "queue_is_long",
        "state",
        "version",
    )

    def __init__(
        self,
        state: InstanceState,
        *,
        now_ms: int,
        size_bytes: int = 0,
        pending: int = 0,
        near: int = NEAR_NONE,
    ) -> None:
        """`size_bytes` is the model's, 0 if unknown; `pending` loads are not in the instance's state yet."""
        record = state.record
        copies, free_bytes = state.copies, state.free_bytes
        a_copy_bytes = size_bytes or (state.used_bytes // copies if copies else 0)
        if pending:
            copies += pending
            free_bytes = max(free_bytes - pending * a_copy_bytes, 0)
        self.state = state
        self.copies = copies
        self.free_bytes = free_bytes
        self.is_full = is_full(
            free_bytes, record.capacity_bytes, a_copy_bytes=a_copy_bytes, slots=record.loading_slots
        )
        # Where nothing can be evicted, the coldest is not cold at all.
        self.coldest_ms = now_ms if record.coldest_ms is None else record.coldest_ms
        saturated = self.is_full and now_ms - self.coldest_ms < SATURATED_AGE_MS
        self.version = 0 if saturated else version_number(record.version)
        self.near = near
        self.queue_is_long = state.loading > QUEUED_PER_SLOT_MAX * record.loading_slots
        self.key: tuple[int | str, ...] = (
            record.draining,
            -self.version,
            self.is_full,
            near,
            self.queue_is_long,
            self.coldest_ms if self.is_full else 0,
            copies,
            -free_bytes,
            self.coldest_ms,
            min(state.loading - record.loading_slots, 0),
            state.loading,
            -record.capacity_bytes,
            record.rpm,
            state.id,
        )
        """Sorts the best first; no two instances have the same."""

    def __repr__(self) -> str:
        return f"<Standing of {self.state.id}: {self.copies} copies, {self.free_bytes} bytes free>"

    def is_like(self, best: "Standing") -> bool:
        """It differs from the best only in what is a matter of degree."""
        return (
            self.is_full == best.is_full
            and self.version == best.version
            and self.near == best.near
            and self.queue_is_long == best.queue_is_long
        )


def standing_key(standing: Standing) -> tuple[int | str, ...]:
    """To sort by."""
    return standing.key


def is_full(free_bytes: int, capacity_bytes: int, *, a_copy_bytes: int, slots: int) -> bool:
    """Whether its next loads need evictions; `a_copy_bytes` is 0 if nobody knows how big copies are."""
    share = capacity_bytes // FULL_SHARE
    if not a_copy_bytes:
        return free_bytes < share
    return free_bytes < max(a_copy_bytes, min(a_copy_bytes * slots, share))


@lru_cache(maxsize=64)
def version_number(version: str) -> int:
    """By age: of `name-yyyyMMdd-n` or `yyyyMMdd-HHmm[-n]` the time in milliseconds, plus n; of others 0."""
    dated = _DATED.fullmatch(version)
    timed = None if dated else _TIMED.fullmatch(version)
    try:
        if dated is not None:
            year, month, day, number = dated.groups()
            return _midnight_ms(year, month, day) + int(number)
        if timed is not None:
            year, month, day, hour, minute, number = timed.groups()
            minutes = 60 * int(hour) + int(minute)
            return _midnight_ms(year, month, day) + minutes * _MINUTE_MS + int(number or 0)
    except ValueError:  # there is no such day
        pass
    return 0


def _midnight_ms(year: str, month: str, day: str) -> int:
    return (date(int(year), int(month), int(day)).toordinal() - _UNIX_DAY) * _DAY_MS
