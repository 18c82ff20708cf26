"""What to do to files, as data. `storage/arrange.py` carries it out.

A plan describes the *whole* folder that the runtime is shown for one model: the folder is made anew,
so what is not in the plan is not there.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A symbolic link at `at` (relative to the folder) that points to the absolute path `to`."""

    at: PurePosixPath
    to: PurePosixPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy of the absolute path `source`, for runtimes that do not follow links."""

    at: PurePosixPath
    source: PurePosixPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A small generated file."""

    at: PurePosixPath
    content: bytes


Step = Link | Copy | Write


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutPlan:
    """The steps that make up one model's folder, in any order."""

    steps: tuple[Step, ...]

    def check(self) -> None:
        """Every step stays below the folder, and no two make the same entry."""
        places = [step.at for step in self.steps]
        assert len(set(places)) == len(places), f"two steps at one place: {places}"
        for place in places:
            assert place.parts, "a step needs a name below the folder"
            assert not place.is_absolute(), f"{place} is absolute"
            assert ".." not in place.parts, f"{place} leaves the folder"
