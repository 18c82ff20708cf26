"""`MM_TYPE_CONSTRAINTS_PATH`: which labels a type needs, in a file (reference: ModelMesh core 4.16)."""

from pathlib import Path
from typing import Final

from adapter.instance.followed_file import FollowedFile
from adapter.mesh.constraints import TypeConstraints

VARIABLE: Final = "MM_TYPE_CONSTRAINTS_PATH"


class ConstraintsFile(FollowedFile[TypeConstraints]):
    """The file. Read it first, then follow it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, variable=VARIABLE, what="type constraints", parse=TypeConstraints.parse)
