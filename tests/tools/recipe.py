"""What a recipe is: how to obtain one real server, once, into a cache outside the repository.

A recipe is a module beside this one that defines `RECIPE`. Only the standard library is used, since the
machine's own Python runs it. A build counts as done when its stamp says so, and the stamp is written last.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRESS_EVERY_S = 30.0
BUILD_S_MAX = 1800.0
TAIL_LINES = 25


class BuildFailed(Exception):
    """A build did not end well; the text holds the end of its output."""


def cache_folder() -> Path:
    """`$REMESH_TOOLS`, or `remesh/tools` in the user's cache folder."""
    if named := os.environ.get("REMESH_TOOLS"):
        return Path(named).absolute()
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "remesh" / "tools"


class Workshop:
    """Where one recipe builds: the cache, a staging folder of its own, and its log."""

    def __init__(self, name: str, cache: Path) -> None:
        self.name = name
        self.cache = cache
        self.staging = cache / "staging" / name
        self._log = cache / "logs" / f"{name}.log"
        shutil.rmtree(self.staging, ignore_errors=True)
        self.staging.mkdir(parents=True)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._log.write_bytes(b"")

    def run(self, *command: str | Path, env: Mapping[str, str] | None = None) -> None:
        """Run to the end, with a line of progress now and then. Raises `BuildFailed`."""
        words = [str(word) for word in command]
        with self._log.open("ab") as log:
            log.write(f"$ {' '.join(words)}\n".encode())
            log.flush()
            child = subprocess.Popen(
                words, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            try:
                status = self._wait(child)
            finally:
                child.kill()
        if status != 0:
            tail = self._log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
            raise BuildFailed(f"`{' '.join(words[:4])} ...` ended with status {status}:\n" + "\n".join(tail))

    def _wait(self, child: subprocess.Popen[bytes]) -> int:
        waited_s = 0.0
        while True:
            try:
                return child.wait(PROGRESS_EVERY_S)
            except subprocess.TimeoutExpired:
                waited_s += PROGRESS_EVERY_S
                if waited_s >= BUILD_S_MAX:
                    raise BuildFailed(f"not done after {BUILD_S_MAX:.0f} s; see {self._log}") from None
                say(self.name, f"still building, {waited_s:.0f} s")

    def close(self) -> None:
        shutil.rmtree(self.staging, ignore_errors=True)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One server: which version, what is needed to build it, and how it is built."""

    name: str
    version: str
    """All that decides what is built; when it changes, the build is done anew."""
    program: str
    """What tests start, relative to the cache."""
    takes: str
    """How long a first build takes, for the reader who waits."""
    missing: Callable[[], str | None]
    """What this machine lacks and how to get it, or None."""
    build: Callable[[Workshop], None]
    """Puts the program in its place, in one rename where that is possible. Raises `BuildFailed`."""

    def path(self, cache: Path) -> Path:
        return cache / self.program

    def is_built(self, cache: Path) -> bool:
        stamp = self._stamp(cache)
        return stamp.is_file() and stamp.read_text() == self.version and self.path(cache).exists()

    def make(self, cache: Path) -> None:
        """Build it, whatever is there. Raises `BuildFailed`."""
        self._stamp(cache).unlink(missing_ok=True)
        workshop = Workshop(self.name, cache)
        try:
            self.build(workshop)
        finally:
            workshop.close()
        if not self.path(cache).exists():
            raise BuildFailed(f"the build ended well, and there is no {self.path(cache)}")
        self._stamp(cache).parent.mkdir(parents=True, exist_ok=True)
        self._stamp(cache).write_text(self.version)

    def _stamp(self, cache: Path) -> Path:
        return cache / "stamps" / self.name


def go_missing(what_for: str) -> str | None:
    """What to say when there is no Go, for recipes that build with it."""
    if shutil.which("go"):
        return None
    return f"there is no `go` on the PATH; {what_for} is built from source: install Go 1.24 or newer"


def go_install(workshop: Workshop, package: str, *, name: str, env: Mapping[str, str] | None = None) -> None:
    """`go install` a package at its version into the cache's `bin`."""
    workshop.run("go", "install", package, env={"GOBIN": str(workshop.staging), **(env or {})})
    _into_bin(workshop, workshop.staging / name)


def go_build(workshop: Workshop, requires: Sequence[str], package: str, *, name: str) -> None:
    """Build a package within a module of our own, for those that `go install` refuses or would not pin."""
    requirements = "".join(f"\t{module}\n" for module in requires)
    (workshop.staging / "go.mod").write_text(
        f"module remesh/tools\n\ngo 1.24\n\nrequire (\n{requirements})\n"
    )
    tools = f'//go:build tools\n\npackage tools\n\nimport _ "{package}"\n'
    (workshop.staging / "tools.go").write_text(tools)
    workshop.run("go", "-C", workshop.staging, "mod", "tidy")
    built = workshop.staging / name
    workshop.run("go", "-C", workshop.staging, "build", "-o", built, package, env={"CGO_ENABLED": "0"})
    _into_bin(workshop, built)


def _into_bin(workshop: Workshop, built: Path) -> None:
    place = workshop.cache / "bin" / built.name
    place.parent.mkdir(parents=True, exist_ok=True)
    built.replace(place)


def version_of(*parts: str | Path | Sequence[str]) -> str:
    """A version out of all that decides a build: texts, and the contents of files."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else repr(part).encode())
    return digest.hexdigest()[:16]


def say(name: str, what: str) -> None:
    """One line of progress."""
    sys.stdout.write(f"{name}: {what}\n")
    sys.stdout.flush()
