"""Models that lie on this machine already: on a mounted claim, or in a folder. They are linked, never copied.

Reference: runtime adapter 2.7. Not taken over from ModelMesh: a link keeps the name that was asked for, a
model may be linked again, a schema is found, and a link that leads out of the claim is refused. The runtime
must see the same folder at the same path.
"""

import errno
from pathlib import Path, PurePosixPath

from adapter.domain.errors import ObjectMissing, StorageKeyUnknown
from adapter.layout.paths import joined_within
from adapter.storage.disk import disk_words
from adapter.storage.repository import StorageConfig

PVC_MOUNTS = Path("/pvc_mounts")
"""Where ModelMesh's controller mounts the claims, each under its name."""


class ClaimProvider:
    """Type `pvc`: the claim `name`, mounted at `<mounts>/<name>`."""

    def __init__(self, mounts: Path = PVC_MOUNTS) -> None:
        self._mounts = mounts.absolute()

    async def client(self, storage: StorageConfig) -> "Folder":
        name = storage.text("name") or ""
        if not name or "/" in name or "\0" in name or name in {".", ".."}:
            raise StorageKeyUnknown(f"{storage.origin}, type pvc: `name` must be the name of the claim")
        return Folder(self._mounts / name, uri=f"pvc://{name}", origin=storage.origin)


class LocalProvider:
    """Types `local` and `file`: a path below the one folder that the settings allow."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    async def client(self, storage: StorageConfig) -> "Folder":
        return Folder(self._folder, uri=f"file://{self._folder}", origin=storage.origin)


class Folder:
    """A folder of this machine as a store."""

    def __init__(self, folder: Path, *, uri: str, origin: str) -> None:
        self._folder = folder
        self._uri = uri
        self._origin = origin

    def __repr__(self) -> str:
        return f"<Folder {self._folder}>"

    @property
    def described(self) -> str:
        return f"{self._folder}, {self._origin}"

    def uri(self, path: str) -> str:
        return f"{self._uri}/{self._below(path)}"

    def locate(self, path: str) -> Path:
        with disk_words(self._folder):
            if not self._folder.is_dir():
                raise ObjectMissing(
                    f"{self.uri(path)}: {self._folder} is not a folder here; is the claim mounted?"
                )
            folder = self._folder.resolve()
            try:
                found = (folder / self._below(path)).resolve(strict=True)
            except (FileNotFoundError, NotADirectoryError, ValueError) as error:
                raise ObjectMissing(
                    f"there is nothing at {self.uri(path)} ({self.described}). Correct the model's path"
                ) from error
            except (RuntimeError, OSError) as error:  # links that go round: the latter from Python 3.13 on
                if isinstance(error, OSError) and error.errno != errno.ELOOP:
                    raise
                raise ObjectMissing(f"the links at {self.uri(path)} go round in circles") from error
        if not found.is_relative_to(folder):
            raise ObjectMissing(
                f"a link at {self.uri(path)} leads out of {self._folder}; put the model inside"
            )
        return found

    def _below(self, path: str) -> PurePosixPath:
        inside = path.removeprefix(f"{self._folder}/")
        return joined_within(PurePosixPath(), inside)
