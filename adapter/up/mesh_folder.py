"""The folder of one mesh of this machine: what is where below it, who has it now, where that mesh answers.

```
<folder>/
  lock               held while the mesh is up, with the process id of who holds it
  mesh.json          where it answers; gone when it is down
  registry.db        what is registered
  storage-config/    one JSON file for each storage key
  files/             models may be put here, and registered with the storage type `local`
  logs/              what each child says
  instances/NAME/    pulled models
  objects/           what is known of each declared object, with `--manifests`
  namespaces/NAME/   what the instances of a further namespace, or of declared runtimes, are told
```

Beside the folders of a person's meshes there is `.up/`: one file for each mesh that is up, wherever that is.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

from adapter.domain.errors import Refused

STATE_FOLDER: Final = Path("~/.local/state/remesh")
SOCKET_PATH_MAX: Final = 100
"""A longer path is not that of a unix socket: the kernel has 108 bytes for it."""


class MeshIsUp(Refused):
    """Another process has this mesh up."""


class MeshIsDown(Refused):
    """No mesh is up in this folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where a mesh answers, as `mesh.json` has it."""

    grpc: str
    rest: str
    files: Path
    """Below it are the models of the storage type `local`."""
    manifests: Path | None = None
    """The folder that declares its models; None: it serves what is registered."""
    namespace: str = ""
    """Of what the manifests declare without one."""

    def written(self) -> str:
        told = {"grpc": self.grpc, "rest": self.rest, "files": str(self.files)}
        if self.manifests is not None:
            told |= {"manifests": str(self.manifests), "namespace": self.namespace}
        return json.dumps(told)

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises `ValueError`, `KeyError` or `TypeError`."""
        told = json.loads(text)
        return cls(
            grpc=str(told["grpc"]),
            rest=str(told["rest"]),
            files=Path(told["files"]),
            manifests=Path(told["manifests"]) if "manifests" in told else None,
            namespace=str(told.get("namespace", "")),
        )


def _pointers() -> Path:
    return STATE_FOLDER.expanduser() / ".up"


@dataclass(frozen=True, slots=True)
class MeshFolder:
    """The paths below it."""

    path: Path

    @classmethod
    def named(cls, name: str) -> Self:
        """The folder of the mesh of this name."""
        return cls(STATE_FOLDER.expanduser() / name)

    @classmethod
    def said(cls, mesh: str) -> Self:
        """The folder of the mesh of this name, or this folder itself, which has a slash."""
        return cls(Path(mesh).absolute()) if "/" in mesh else cls.named(mesh)

    @property
    def registry_file(self) -> Path:
        return self.path / "registry.db"

    @property
    def _whereabouts_file(self) -> Path:
        return self.path / "mesh.json"

    @property
    def storage_config(self) -> Path:
        return self.path / "storage-config"

    @property
    def files(self) -> Path:
        return self.path / "files"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def instance(self, name: str) -> Path:
        return self.path / "instances" / name

    @property
    def objects(self) -> Path:
        return self.path / "objects"

    def namespace(self, name: str) -> Path:
        return self.path / "namespaces" / name

    def prepare(self, instances: Collection[str]) -> None:
        """Make the folders; drop what a mesh that was killed left, and instances that are no more."""
        self._whereabouts_file.unlink(missing_ok=True)
        all_instances = self.path / "instances"
        wanted = (self.storage_config, self.files, self.logs, all_instances, *map(self.instance, instances))
        for folder in wanted:
            folder.mkdir(parents=True, exist_ok=True)
        for folder in all_instances.iterdir():
            if folder.name not in instances:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Nobody else has the mesh up inside the block. Raises `MeshIsUp`, or `Refused` for a bad folder."""
        lock = self._open_lock()
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise MeshIsUp(self._who(os.pread(lock, 100, 0).decode(errors="replace"))) from None
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            # Its file stays: whoever waits to open it may have done so already.
            os.close(lock)

    def _open_lock(self) -> int:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Refused(
                f"{self.path} cannot hold the files of a mesh: {error.strerror}; name another --data-dir"
            ) from error

    def _who(self, pid: str) -> str:
        try:
            where = f", and answers on {self.whereabouts().grpc}"
        except MeshIsDown:
            where = ""
        return (
            f"this mesh is up already: process {pid.strip() or 'unknown'} has {self.path}{where}; "
            "give another one a --name, or --data-dir, of its own"
        )

    @contextmanager
    def announced(self, whereabouts: Whereabouts) -> Iterator[None]:
        """Those who have only the name find where it answers."""
        self._whereabouts_file.write_text(whereabouts.written())
        pointer = _pointers() / sha256(os.fsencode(self.path)).hexdigest()[:16]
        with suppress(OSError):  # a home that cannot be written: who wants this mesh must name its folder
            pointer.parent.mkdir(parents=True, exist_ok=True)
            pointer.write_text(str(self.path))
        try:
            yield
        finally:
            self._whereabouts_file.unlink(missing_ok=True)
            with suppress(OSError):
                pointer.unlink(missing_ok=True)

    def is_up(self) -> bool:
        """Whether whoever has it, or had it last, is alive and answers."""
        try:
            os.kill(int((self.path / "lock").read_text()), 0)
            self.whereabouts()
        except (OSError, ValueError, MeshIsDown):
            return False
        return True

    def whereabouts(self) -> Whereabouts:
        """Where the mesh answers that is up here. Raises `MeshIsDown`."""
        try:
            return Whereabouts.read(self._whereabouts_file.read_text())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MeshIsDown(
                f"no mesh is up in {self.path}; start it with `remesh up`, or name another one"
            ) from error

    @contextmanager
    def socket_path(self) -> Iterator[Path]:
        """A path for the registry's socket: here, or in a folder of its own if this name is too long."""
        path = self.path / "registry.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
            try:
                yield path
            finally:
                path.unlink(missing_ok=True)
        else:
            with TemporaryDirectory(prefix="remesh-") as folder:
                yield Path(folder) / path.name


def meshes_up() -> list[MeshFolder]:
    """The folders of this person's meshes that are up."""
    folders = []
    for pointer in sorted(_pointers().glob("*")):
        with suppress(OSError, UnicodeDecodeError):
            folder = MeshFolder(Path(pointer.read_text()))
            if folder.is_up():
                folders.append(folder)
    return folders
