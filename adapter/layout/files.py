"""What was pulled: names and sizes, and no disk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledFiles:
    """A pulled model as a layout sees it.

    `root` is the absolute path of the model itself: a single file, or the top of its tree. `sizes` maps
    each regular file's path relative to `root` to its size in bytes; for a single file its only key is
    `PurePosixPath(".")`. `contents` holds the small files that a layout may have to read, by the same
    keys (for a folder: `model-settings.json`), and `schema` the schema file's text if there is one.
    """

    root: PurePosixPath
    sizes: Mapping[PurePosixPath, int]
    contents: Mapping[PurePosixPath, bytes] = field(default_factory=dict)
    schema: bytes | None = None

    @property
    def is_file(self) -> bool:
        return set(self.sizes) == {PurePosixPath()}

    @property
    def size_bytes(self) -> int:
        """All files together; the schema, which lies beside the model, is not counted."""
        return sum(self.sizes.values())

    @property
    def top_names(self) -> list[str]:
        """The entries at the top of a folder, sorted; for a single file, none."""
        return sorted({path.parts[0] for path in self.sizes if path.parts})
