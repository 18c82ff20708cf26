"""What is wrong with an object, each with its field; all of it is told at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from adapter.domain.errors import Code, Refused

COMPLAINTS_TOLD_MAX: Final = 20
"""So many stand in the text of an error; `BadManifest.complaints` has them all."""

SHOWN_CHARS_MAX: Final = 63
"""So much of what somebody wrote is repeated to them."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong, and what to write instead."""

    field: str
    """As `kubectl explain` has it, with indices: `spec.containers[0].ports[1].name`."""
    text: str

    def __str__(self) -> str:
        """With the field before it, unless the text names it itself, as some of ModelMesh's do."""
        is_named = "." in self.field and self.field.lower() in self.text.lower()
        return self.text if is_named or not self.field else f"{self.field}: {self.text}"


class BadManifest(Refused):
    """The object cannot be used as it is."""

    code = Code.INVALID_ARGUMENT

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints: tuple[Complaint, ...] = tuple(complaints)
        assert self.complaints, "an error without a complaint"
        more = len(self.complaints) - COMPLAINTS_TOLD_MAX
        told = [*map(str, self.complaints[:COMPLAINTS_TOLD_MAX])]
        super().__init__("; ".join([*told, f"and {more} more"] if more > 0 else told))


def shown(value: str) -> str:
    """What somebody wrote, in one line and cut short; never for what may be a secret."""
    cut = value if len(value) <= SHOWN_CHARS_MAX else f"{value[:SHOWN_CHARS_MAX]}..."
    return cut if cut.isprintable() else ascii(cut)[1:-1]
