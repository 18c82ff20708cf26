"""Times as the API server writes them: RFC 3339, in UTC, to the second."""

from datetime import UTC, datetime
from typing import Final

_MS: Final = 1000
_LATEST_S: Final = 253_402_300_799
"""The end of the year 9999, the last that can be written so."""


def written(epoch_ms: int) -> str:
    """As `2026-01-31T12:00:00Z`; what cannot be written so is the nearest that can."""
    epoch_s = min(max(epoch_ms // _MS, 0), _LATEST_S)
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read(text: object) -> int | None:
    """Milliseconds since the epoch; None: it is no such time."""
    if not isinstance(text, str) or not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * _MS)
