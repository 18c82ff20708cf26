"""`MM_DATAPLANE_CONFIG_PATH`: the data plane's configuration in a file (reference: ModelMesh core 2.5)."""

from pathlib import Path
from typing import Final

from adapter.instance.followed_file import FollowedFile
from adapter.wire.dataplane import DataplaneConfig

VARIABLE: Final = "MM_DATAPLANE_CONFIG_PATH"


class DataplaneFile(FollowedFile[DataplaneConfig]):
    """The file. Read it first, then follow it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, variable=VARIABLE, what="data plane", parse=DataplaneConfig.parse)
