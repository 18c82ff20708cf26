"""What stays is taken out of the garbage collector's sight, so that no request waits while it is searched.

Records of thousands of copies are hundreds of thousands of objects that live for hours; to look through them
takes a tenth of a second. What is freed in the usual way, by its last reference, is freed all the same.
"""

from collections.abc import Callable
from typing import Final

GROWTH_MIN: Final = 1000
"""So many records more since the last time are worth it,"""
GROWTH_SHARE: Final = 0.1
"""and such a share of all."""


class Keeping:
    """Says when it is time."""

    def __init__(self, freeze: Callable[[], None]) -> None:
        self._freeze = freeze
        self._kept = 0

    def look(self, records: int, *, busy: bool) -> None:
        """There are so many records now; nothing is done while they still come."""
        grown = records - self._kept
        if not busy and grown >= max(GROWTH_MIN, GROWTH_SHARE * records):
            self._freeze()
            self._kept = records
