"""Remesh with its pure core compiled, as `REMESH_COMPILED=1 pip install` has it, in a folder of the cache.

    env $(make -s compiled) .venv/bin/python -m adapter instance

builds it, unless it is there, and runs it. The folder is named by what it is built from, so that an edit
gives another one, and a program that runs from the last one is left alone. What the C compiler has made is
kept, and made anew only where it has to be. It is built with the environment of this checkout, so it is no
recipe of `make tools`, which have only the standard library.
"""

import shutil
import sys
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Final

from hatch_build import missing_compiler
from tests.tools.get import alone, obtain
from tests.tools.recipe import BuildFailed, Recipe, Workshop, cache_folder, version_of

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = ("adapter", "runtimes")
BUILD_FILES: Final = ("pyproject.toml", "hatch_build.py")
OTHER_FILES: Final = ("README.md", "LICENSE")
KEPT_MAX: Final = 4
"""Builds; of those that were not used for the longest time, so many are left."""


def compiled_folder() -> Path:
    """Where the packages are; built now if they are not there. Raises `BuildFailed`."""
    recipe, cache = compiled_recipe(), cache_folder()
    with alone(cache):
        if not obtain(recipe, cache):
            raise BuildFailed(recipe.missing() or f"the core cannot be compiled; see {cache / 'logs'}")
        folder = recipe.path(cache)
        folder.touch()
        _forget_old(folder.parent)
    return folder


def compiled_environment(folder: Path) -> dict[str, str]:
    """What makes Python take the packages from there, and not from the folder in which it is started."""
    return {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}


def compiled_recipe() -> Recipe:
    """The build of what the checkout has now."""
    sources = [
        path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py*")) if _is_source(path)
    ]
    files = [*(ROOT / name for name in BUILD_FILES), *sources]
    parts = [part for path in files for part in (path.relative_to(ROOT).as_posix(), path)]
    name = version_of(_tools(), *parts)
    return Recipe(
        name=f"compiled-{name}",
        version=name,
        program=f"compiled/{name}",
        takes="1 to 2 minutes",
        missing=missing_compiler,
        build=_build,
    )


def _build(workshop: Workshop) -> None:
    source, built = workshop.staging / "source", workshop.staging / "built"
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for name in (*BUILD_FILES, *OTHER_FILES):
        shutil.copy(ROOT / name, source / name)
    env = {"REMESH_COMPILED": "1", "REMESH_COMPILED_OBJECTS": str(_objects(workshop.cache))}
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation"]
    workshop.run(*pip, "--target", built, source, env=env)
    place = workshop.cache / "compiled" / workshop.name.removeprefix("compiled-")
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(place, ignore_errors=True)
    built.replace(place)


def _objects(cache: Path) -> Path:
    """Objects of other tools are of no use, so a folder has those of one set of them."""
    folder, made_by = cache / "compiled-objects", cache / "compiled-objects" / "made-by"
    tools = version_of(_tools(), *(ROOT / name for name in BUILD_FILES))
    if not made_by.exists() or made_by.read_text() != tools:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        made_by.write_text(tools)
    return folder


def _tools() -> str:
    return f"{sys.implementation.cache_tag}, mypy {version('mypy')}, setuptools {version('setuptools')}"


def _is_source(path: Path) -> bool:
    return path.suffix in {".py", ".pyi"} and "__pycache__" not in path.parts


def _forget_old(builds: Path) -> None:
    newest_first = sorted(builds.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest_first[KEPT_MAX:]:
        shutil.rmtree(path, ignore_errors=True)
        for kept in ("stamps", "logs"):
            for file in (builds.parent / kept).glob(f"compiled-{path.name}*"):
                file.unlink(missing_ok=True)


def main() -> None:
    """Build, and print the variables; what is said meanwhile goes to standard error."""
    try:
        with redirect_stdout(sys.stderr):
            folder = compiled_folder()
    except BuildFailed as error:
        raise SystemExit(f"make compiled: {error}") from error
    told = " ".join(f"{name}={value}" for name, value in compiled_environment(folder).items())
    sys.stdout.write(f"{told}\n")


if __name__ == "__main__":
    main()
