"""Sizes in bytes, from the quantities that people write and back."""

from decimal import ROUND_CEILING, Decimal
from typing import Final

from adapter.controller.quantities import quantity

_BINARY: Final = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


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
