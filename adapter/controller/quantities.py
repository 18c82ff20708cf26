"""Quantities as Kubernetes writes them: `500m`, `1.5`, `448Mi`, `2e3`; and sizes in bytes."""

import re
from decimal import ROUND_CEILING, Decimal
from typing import Final

_QUANTITY: Final = re.compile(
    r"\+?(?P<number>[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})"
    r"(?P<suffix>[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?"
)
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def quantity(text: str) -> Decimal:
    """How much it is, in whole units. Raises `ValueError`, with what is wrong."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError("must be a quantity such as 500m, 1.5, 448Mi or 2G")
    number, suffix = Decimal(match["number"]), match["suffix"] or ""
    if suffix in _BINARY:
        return number * Decimal(1024 ** (_BINARY.index(suffix) + 1))
    power = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:] or "0")
    return number.scaleb(power)


def parse_bytes(told: object) -> int:
    """The bytes that a quantity says, rounded up. Raises `ValueError`, with what is wrong."""
    return _whole(quantity(str(told).strip()))


def as_quantity(size_bytes: int) -> str:
    """As the API server writes it: the largest suffix that keeps it whole."""
    suffix = ""
    for larger in _BINARY:
        if not size_bytes or size_bytes % 1024:
            break
        size_bytes, suffix = size_bytes // 1024, larger
    return f"{size_bytes}{suffix}"


def scaled(size_bytes: int, factor: str) -> int:
    """Times an exact decimal factor, rounded up."""
    return _whole(size_bytes * Decimal(factor))


def _whole(number: Decimal) -> int:
    return int(number.to_integral_value(rounding=ROUND_CEILING))
