"""Why a copy went, in words that an instance remembers and another one can read.

`CAUSE: words`; the cause is one of `Gone`, so that whoever is told can say what would have kept the copy.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from adapter.domain.ids import ModelId
from adapter.mesh.wording import in_bytes, lasting, times


class Gone(Enum):
    """What became of a copy."""

    EVICTED = "evicted"
    SURPLUS = "given up"
    UNLOADED = "unloaded"
    RESTARTED = "its runtime restarted"
    LOST = "its runtime lost it"
    UNREGISTERED = "unregistered"
    OTHER = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """One copy that went."""

    why: Gone
    words: str = ""

    def __str__(self) -> str:
        return f"{self.why.value}: {self.words}" if self.words else self.why.value

    @property
    def sentence(self) -> str:
        """What happened, to follow "the copy"."""
        return f"{_HAPPENED[self.why]}{f' {self.words}' if self.words else ''}"


_HAPPENED: Final = {
    Gone.EVICTED: "was evicted",
    Gone.SURPLUS: "was given up",
    Gone.UNLOADED: "was unloaded on demand",
    Gone.RESTARTED: "went when its runtime restarted",
    Gone.LOST: "went when its runtime lost it",
    Gone.UNREGISTERED: "was unloaded because the model was unregistered",
    Gone.OTHER: "went",
}


def departure(text: str) -> Departure:
    """Reads what `str` of a departure wrote; of anything else the words are kept."""
    cause, _, words = text.partition(": ")
    for why in Gone:
        if cause == why.value:
            return Departure(why=why, words=words)
    return Departure(why=Gone.OTHER, words=text and f"({text})")


def evicted(room_for: ModelId | None, *, uses: int, load_s: float, size_bytes: int) -> Departure:
    """Evicted by value: for whom, and the figures by which it was the least valuable of what was not in use.

    `room_for` is None when room was lacking for what is loaded already.
    """
    purpose = "since what is loaded was bigger than predicted"
    if room_for is not None:
        purpose = f"to make room for {room_for}"
    return Departure(
        why=Gone.EVICTED,
        words=f"{purpose}, as the least valuable copy that was not in use (used {times(uses)}, "
        f"{lasting(load_s)} to load, {in_bytes(size_bytes)})",
    )


def evicted_by_age(room_for: ModelId | None, *, unused_s: float, size_bytes: int) -> Departure:
    """Evicted by last use (`lru`)."""
    purpose = "since what is loaded was bigger than predicted"
    if room_for is not None:
        purpose = f"to make room for {room_for}"
    return Departure(
        why=Gone.EVICTED,
        words=f"{purpose}, as the copy that was unused for longest "
        f"({lasting(unused_s)}, {in_bytes(size_bytes)})",
    )
