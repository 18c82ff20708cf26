"""Programs of Debian's packages: from the PATH, else unpacked into the cache.

Unpacking needs no root, changes nothing outside the cache, and starts no service. Debian keeps one version
of a release, so there is none to pin.
"""

import os
import shutil
from pathlib import Path

from tests.tools.recipe import Recipe, Workshop

# A server's program often lies where only root looks.
PATHS = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"

# With lists of its own, since a fresh machine has none, and only root may fetch the others.
UNPACK = """
set -eu
mkdir -p "$1/lists/partial" "$1/cache/archives/partial" "$1/debs" "$1/root"
cd "$1/debs"
options="-q -o Dir::State::Lists=$1/lists -o Dir::Cache=$1/cache"
apt-get $options update
names=$(apt-get $options install -s --no-install-recommends "$2" | sed -n 's/^Inst \\([^ ]*\\).*/\\1/p')
apt-get $options download $names
for package in *.deb; do dpkg-deb -x "$package" "$1/root"; done
"""


def debian(name: str, *, package: str) -> Recipe:
    """The recipe of a program that a package of Debian has."""

    def build(workshop: Workshop) -> None:
        place = workshop.cache / "bin" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        if found := shutil.which(name, path=PATHS):
            place.symlink_to(found)
        else:
            _unpack(workshop, package, place)

    return Recipe(
        name=name,
        version=f"Debian's {package}",
        program=f"bin/{name}",
        takes="a quarter of a minute, or none if it is installed",
        missing=lambda: _missing(name, package),
        build=build,
    )


def _missing(name: str, package: str) -> str | None:
    if shutil.which(name, path=PATHS) or (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return None
    return f"there is no `{name}`, nor Debian's `apt-get`: install {package}, or what has `{name}` elsewhere"


def _unpack(workshop: Workshop, package: str, place: Path) -> None:
    workshop.run("sh", "-c", UNPACK, "unpack", workshop.staging, package)
    root = workshop.cache / "debian" / place.name
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(exist_ok=True)
    (workshop.staging / "root").replace(root)
    program = next(root.glob(f"usr/*bin/{place.name}"), root / "usr" / "bin" / place.name)
    libraries = ":".join(sorted({str(library.parent) for library in root.rglob("lib*.so*")}))
    place.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {program} "$@"\n')
    place.chmod(0o755)
