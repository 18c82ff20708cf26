"""The model root: which folder is whose, how files appear there in one go, and how they leave.

    <root>/<model>/<name>              a pulled model, and its schema beside it
    <root>/_<runtime>_models/<model>/  what a runtime is shown: links and settings
    <root>/.staging/<n>/               what is not ready yet, or on its way out
    <root>/.remesh                     says that the folders beside it are ours to delete

`<model>` is `destinations.model_folder_name`, which never begins with a dot or an underscore. All methods
look at the disk and belong in a worker thread, but for those that say so. The root is one instance's alone.
"""

import errno
import itertools
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapter.domain.errors import Broken, DiskFull
from adapter.domain.ids import ModelId
from adapter.storage.destinations import model_folder_name

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_TAKEN_OR_NO_PARENT = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.ENOENT}
_SEAL = ".remesh"


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What the disk has free."""

    root: Path
    free_bytes: int

    def require(self, wanted_bytes: int) -> None:
        """Raise `DiskFull` before a pull that cannot succeed."""
        if wanted_bytes > self.free_bytes:
            raise DiskFull(
                f"the model needs {wanted_bytes} bytes and {self.root} has {self.free_bytes} free: "
                "give the volume more room, or unregister models"
            )


class ModelRoot:
    """The folder below which an instance keeps its models."""

    def __init__(
        self,
        root: Path,
        *,
        free_bytes: Callable[[Path], int] = _free_bytes,
        staging: str = ".staging",
    ) -> None:
        self.path = root.absolute()
        self._free_bytes = free_bytes
        self._staging = self.path / staging
        self._numbers = itertools.count()
        self._swapping = threading.Lock()

    def __repr__(self) -> str:
        return f"<ModelRoot {self.path}>"

    def folder(self, model: ModelId) -> Path:
        """Where a model is once it is pulled. Does not look at the disk."""
        return self.path / model_folder_name(model)

    def area(self, runtime: str) -> Path:
        """Where a runtime is shown its models. Does not look at the disk."""
        return self.path / f"_{runtime}_models"

    def prepare(self) -> None:
        """Make the root if need be, and delete what an earlier process left half done."""
        with disk_words(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            self.sweep()
            if not self._model_folders():
                (self.path / _SEAL).touch()

    def sweep(self) -> None:
        """Delete what an earlier process left half done."""
        with disk_words(self._staging):
            _delete(self._staging)

    def purge(self) -> None:
        """Delete every pulled model, and all that runtimes are shown: after a start, none is loaded.

        Files and links at the top of the root are left alone. Nothing is deleted in a root that held folders
        before it first became ours: somebody may have named the wrong one.
        """
        with disk_words(self.path):
            if not (self.path / _SEAL).exists():
                return
            for area in self.path.glob("_*_models"):
                for shown in list(area.iterdir()):
                    self.discard(shown)
            for folder in self._model_folders():
                self.discard(folder)

    def staging_place(self) -> Path:
        """Where to build something: on the same file system, and nobody else's. Does not look at the disk."""
        return self._staging / f"{os.getpid()}-{next(self._numbers)}"

    def stage(self, place: Path) -> "Room":
        """Make the folder `place`, one of `staging_place`'s; answers with the room there is for its files."""
        with disk_words(place):
            place.mkdir(parents=True)
            return Room(root=self.path, free_bytes=self._free_bytes(self.path))

    def publish(self, staged: Path, at: Path) -> None:
        """Let the staged folder appear at `at`, complete; what was there before is deleted."""
        with disk_words(at), self._swapping:
            try:
                before = None
                staged.rename(at)
            except OSError as error:
                if error.errno not in _TAKEN_OR_NO_PARENT:
                    raise
                at.parent.mkdir(parents=True, exist_ok=True)
                before = self._set_aside(at)
                staged.rename(at)
        self._delete_aside(before)

    def discard(self, path: Path) -> None:
        """Let `path` vanish in one go, then delete what it was. What is not there is discarded already."""
        with disk_words(path), self._swapping:
            aside = self._set_aside(path)
        self._delete_aside(aside)

    def _set_aside(self, path: Path) -> Path | None:
        aside = self.staging_place()
        try:
            path.rename(aside)
        except FileNotFoundError:
            if not os.path.lexists(path):
                return None
            self._staging.mkdir(parents=True, exist_ok=True)
            path.rename(aside)
        return aside

    def _delete_aside(self, aside: Path | None) -> None:
        if aside is not None:
            with disk_words(aside):
                _delete(aside)

    def _model_folders(self) -> list[Path]:
        with os.scandir(self.path) as entries:
            return [Path(entry) for entry in entries if _may_be_a_model(entry)]


def _may_be_a_model(entry: os.DirEntry[str]) -> bool:
    foreign = entry.name.startswith((".", "_")) or entry.name == "lost+found"
    return not foreign and entry.is_dir(follow_symlinks=False)


def _delete(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


@contextmanager
def disk_words(path: Path) -> Iterator[None]:
    """Translate what the disk refuses: `DiskFull`, or `Broken` with the reason."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFull(
                f"no room is left on disk for {path} ({error.strerror}): give the volume more room"
            ) from error
        raise Broken(
            f"the disk refuses {path}: {error.strerror or error}. Check the folder and its rights"
        ) from error
