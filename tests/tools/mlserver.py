"""MLServer in an environment of its own, since its pins are not ours (Python before 3.13, protobuf 6)."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.tools.recipe import Recipe, Workshop, version_of

PACKAGES = ("mlserver==1.7.1", "mlserver-sklearn==1.7.1")
CONSTRAINTS = Path(__file__).with_name("mlserver-constraints.txt")
PYTHONS = ("3.11", "3.12")
_PROBE = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"


def _python() -> str | None:
    """The first interpreter of a version that MLServer runs on, and that makes environments."""
    installed = sorted(Path.home().glob(".pyenv/versions/3.1[12].*/bin/python3"))
    named = [shutil.which(f"python{version}") for version in PYTHONS]
    for candidate in [sys.executable, *named, *map(str, installed)]:
        if candidate and _version(candidate) in PYTHONS:
            return candidate
    return None


def _version(python: str) -> str | None:
    # A name on the PATH may be a shim with nothing behind it; only running it tells.
    try:
        done = subprocess.run([python, "-c", _PROBE], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _missing() -> str | None:
    if _python():
        return None
    return (
        f"{PACKAGES[0]} runs on Python {' or '.join(PYTHONS)}, and none with `venv` was found: "
        "install one as python3.11 or python3.12 (on Debian with its python3-venv package)"
    )


def _build(workshop: Workshop) -> None:
    # In its final place, since an environment's scripts hold its path; only the stamp says it is done.
    environment = workshop.cache / "mlserver"
    shutil.rmtree(environment, ignore_errors=True)
    workshop.run(_python() or sys.executable, "-m", "venv", environment)
    pip = (environment / "bin" / "python", "-m", "pip", "install", "--quiet", "--constraint", CONSTRAINTS)
    workshop.run(*pip, *PACKAGES)


RECIPE = Recipe(
    name="mlserver",
    version=version_of(PACKAGES, CONSTRAINTS),
    program="mlserver/bin/mlserver",
    takes="about a minute",
    missing=_missing,
    build=_build,
)
