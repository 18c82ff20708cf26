"""What room is worth to a model that was last used so long ago: the uses that it will serve in a second.

Times are cut into octaves: octave 0 is less than a 64th of a second, and each further one reaches twice as
far. What is known of a group of models is, for each octave, how often one of them was used so long after its
last use, and for how many seconds in all such models were in that octave. The one over the other is the
hazard: how likely a use is in the next second, if there was none until now.

From the hazards follows what keeping a model until an age T would bring: uses F(T) for seconds E(T) of room.
Its worth at age a is the best ratio that any T promises, max over T > a of (F(T) - F(a)) / (E(T) - E(a)).
(That is the Gittins index; least hit density, Beckmann et al., NSDI 2018, takes the ratio for one T, the age
at which the cache happens to evict.) For models that are used at random it is their rate; for those that are
used again soon or never, it falls with the age, as LRU has it; for those that come round like a loop, it
rises until they are due.
"""

from math import exp
from typing import Final

OCTAVES: Final = 32
"""The last one begins after a year."""

SHORTEST_S: Final = 1.0 / 64
MODELS_BEFORE: Final = 1.0
"""So many models are taken to have been in each octave before any was seen there, ..."""
USED_BEFORE: Final = 0.2
"""... and this share of them to have been used in it: so an untaught cache evicts like LRU."""


WIDTHS_S: Final[list[float]] = [SHORTEST_S * (1 << max(number - 1, 0)) for number in range(OCTAVES)]
"""How long each octave is."""


def octave(gap_s: float) -> int:
    """Which octave a time is in. A long one is in the last."""
    number = int(gap_s * 64).bit_length()
    return number if number < OCTAVES else OCTAVES - 1


def densities(uses: list[float], seen_s: list[float]) -> list[float]:
    """For each octave of age, the uses in a second of room; from the uses that came, and the seconds waited.

    Who was used in a later octave has passed the earlier ones, so the seconds there are at least theirs.
    """
    later = sum(uses)
    survive, room_s, served = 1.0, 0.0, 0.0
    points = [(0.0, 0.0)]
    for age in range(OCTAVES):
        width, came = WIDTHS_S[age], uses[age]
        later -= came
        waited_s = max(seen_s[age], width * (later + came / 2)) + MODELS_BEFORE * width
        hazard = (came + MODELS_BEFORE * USED_BEFORE) / waited_s
        ended = survive * (1.0 - exp(-hazard * width))
        served += ended
        room_s += ended / hazard
        survive -= ended
        points.append((room_s, served))
    return _steepest(points)


def _steepest(points: list[tuple[float, float]]) -> list[float]:
    """From each point but the last, the steepest way to any later one: along their upper hull."""
    slopes = [0.0] * (len(points) - 1)
    hull = [points[-1]]
    for age in range(len(points) - 2, -1, -1):
        x, y = points[age]
        while len(hull) > 1 and (hull[-1][1] - y) * (hull[-2][0] - x) <= (hull[-2][1] - y) * (
            hull[-1][0] - x
        ):
            hull.pop()
        run = hull[-1][0] - x
        if run > 0.0:
            slopes[age] = (hull[-1][1] - y) / run
        elif age + 1 < len(slopes):
            slopes[age] = slopes[age + 1]
        hull.append((x, y))
    return slopes
