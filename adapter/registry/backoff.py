"""How long to wait between two tries: longer each time, up to a bound, and never in step with others."""

import random
from typing import Final

FIRST_S: Final = 0.1
LONGEST_S: Final = 1.5
"""So that after an outage all are back within a second or two."""
_FACTOR: Final = 1.7


class Backoff:
    """The waits of one who keeps trying."""

    def __init__(self, *, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._next_s = first_s
        self._chance = random.Random()  # noqa: S311 - it spreads the tries of many, and keeps no secret

    def next_s(self) -> float:
        """The wait before the next try: half to all of what has grown so far."""
        wait_s = self._next_s * self._chance.uniform(0.5, 1.0)
        self._next_s = min(self._next_s * _FACTOR, self._longest_s)
        return wait_s

    def reset(self) -> None:
        """It went well."""
        self._next_s = self._first_s
