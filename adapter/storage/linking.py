"""A pull from a store that is mounted here: links, not transfers (reference: runtime adapter 2.7)."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from adapter.domain.errors import BadModelKey, ObjectMissing
from adapter.storage.disk import disk_words
from adapter.storage.fetching import OBJECTS_MAX
from adapter.storage.repository import MountedFolder, PullTarget

Sizes = Mapping[PurePosixPath, int]


def link(mounted: MountedFolder, target: PullTarget, staged: Path) -> Sizes:
    """Link one target into `staged`; answers with the sizes of the files behind it, by their relative paths.

    A single file has the path `.`. Looks at the disk, so not on the loop. Raises `ObjectMissing`.
    """
    source = mounted.locate(target.remote_path)
    with disk_words(source):
        sizes = sizes_of(source)
    if not sizes:
        raise ObjectMissing(
            f"{mounted.uri(target.remote_path)} is no file, and no folder with one; put the model there"
        )
    with disk_words(staged):
        staged.mkdir(parents=True, exist_ok=True)
        (staged / target.local_name).symlink_to(source)
    return sizes


def sizes_of(source: Path) -> Sizes:
    """The regular files at a path, by their relative paths; of a single file it is `.`."""
    if source.is_file():
        return {PurePosixPath(): source.stat().st_size}
    sizes: dict[PurePosixPath, int] = {}
    # Links to folders are not entered, for they may go round; links to files count as what they lead to.
    for folder, _, names in os.walk(source):
        for name in names:
            path = Path(folder, name)
            try:
                found = path.stat()
            except OSError:  # A link to nowhere: what needs it will say so.
                continue
            if stat.S_ISREG(found.st_mode):
                sizes[PurePosixPath(path.relative_to(source))] = found.st_size
        if len(sizes) > OBJECTS_MAX:
            raise BadModelKey(f"more than {OBJECTS_MAX} files lie below {source}: name a single model")
    return sizes
