"""Figures as people read them: 1.5 GiB, 12 s, 3 min ago."""

from typing import Final

_KIB: Final = 1024
_UNITS: Final = ("KiB", "MiB", "GiB", "TiB")
_NEXT_UNIT_FROM: Final = 1023.95
"""It would be rounded to 1024."""

_SECOND_MS: Final = 1000
_TENTHS_BELOW_S: Final = 9.95
_SECONDS_BELOW_S: Final = 119.5
_MINUTES_BELOW_S: Final = 7_170.0
_HOURS_BELOW_S: Final = 171_000.0
"""Two of the next unit, less what is rounded up to them."""

_TWICE: Final = 2


def in_bytes(size_bytes: int) -> str:
    """A size, in the greatest unit of which it is at least one."""
    if abs(size_bytes) < _KIB:
        return "1 byte" if size_bytes == 1 else f"{size_bytes} bytes"
    figure = float(size_bytes)
    for unit in _UNITS:
        figure /= _KIB
        if abs(figure) < _NEXT_UNIT_FROM:
            return f"{figure:.1f} {unit}"
    return f"{figure:.1f} {_UNITS[-1]}"


def lasting(seconds: float) -> str:
    """How long something lasts; never less than nothing."""
    seconds = max(seconds, 0.0)
    if seconds < 1.0:
        return f"{int(seconds * 1e3)} ms"
    if seconds < _TENTHS_BELOW_S:
        return f"{seconds:.1f} s"
    if seconds < _SECONDS_BELOW_S:
        return f"{seconds:.0f} s"
    if seconds < _MINUTES_BELOW_S:
        return f"{seconds / 60.0:.0f} min"
    if seconds < _HOURS_BELOW_S:
        return f"{seconds / 3600.0:.0f} h"
    return f"{seconds / 86_400.0:.0f} days"


def ago(then_ms: int, now_ms: int) -> str:
    """When something was; what another's clock puts in the future was a moment ago."""
    if now_ms - then_ms < _SECOND_MS:
        return "a moment ago"
    return f"{lasting((now_ms - then_ms) / 1e3)} ago"


def within(then_ms: int, now_ms: int) -> str:
    """When something will be; what has passed already will be at once."""
    if then_ms <= now_ms:
        return "at once"
    return f"in {lasting((then_ms - now_ms) / 1e3)}"


def times(count: int) -> str:
    """How often."""
    return "once" if count == 1 else "twice" if count == _TWICE else f"{count} times"


def listed(names: list[str], *, most: int = 5) -> str:
    """Names in a sentence; those beyond `most` are only counted."""
    shown, more = names[:most], len(names) - most
    if more > 0:
        return ", ".join(shown) + f" and {more} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
