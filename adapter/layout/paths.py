"""Paths that cannot leave their folder."""

from pathlib import PurePosixPath


def joined_within(folder: PurePosixPath, *parts: str) -> PurePosixPath:
    """Join `parts` below `folder`, whatever they say (reference: runtime adapter 2.5, 11.3).

    Empty elements and `.` vanish, `..` goes up at most to `folder`, an absolute path begins at `folder`.
    Only names are looked at: who uses the result must not follow links on its way.
    """
    below: list[str] = []
    for element in "/".join(parts).split("/"):
        if element == "..":
            del below[-1:]
        elif element not in {"", "."}:
            below.append(element)
    return folder.joinpath(*below)
