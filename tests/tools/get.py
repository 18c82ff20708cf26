"""Obtain the real servers that integration tests use: `make tools`, `make tools ARGS="--list"`.

What cannot be had is named, with the reason and the remedy, and the rest goes on; the exit status is 0
unless `--strict` asks that nothing be missing.
"""

import argparse
import fcntl
import importlib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    # Run as a file by the machine's Python: `tests` is ours, not a package of that name installed there.
    sys.path[:] = [str(HERE.parents[1]), *(path for path in sys.path if not path.endswith("-packages"))]

from tests.tools.recipe import BuildFailed, Recipe, cache_folder, say  # noqa: E402 (the path comes first)

NOT_RECIPES = {"get", "recipe", "debian", "compiled"}


def recipes() -> dict[str, Recipe]:
    """Every recipe of this folder, by name, the quick ones in no particular order."""
    names = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in NOT_RECIPES)
    return {name: importlib.import_module(f"tests.tools.{name}").RECIPE for name in names}


def obtain(recipe: Recipe, cache: Path) -> bool:
    """Whether the program is there now; says what happened either way."""
    if recipe.is_built(cache):
        say(recipe.name, f"there already, {recipe.path(cache)}")
        return True
    if lacking := recipe.missing():
        say(recipe.name, f"MISSING: {lacking}. Tests that need it are skipped.")
        return False
    say(recipe.name, f"building version {recipe.version}; a first build takes {recipe.takes}")
    started_s = time.monotonic()
    try:
        recipe.make(cache)
    except (BuildFailed, OSError) as error:
        say(recipe.name, f"MISSING: the build failed. Tests that need it are skipped.\n{error}")
        return False
    say(recipe.name, f"built in {time.monotonic() - started_s:.0f} s, {recipe.path(cache)}")
    return True


@contextmanager
def alone(cache: Path) -> Iterator[None]:
    """One build at a time in one cache; a second caller waits, and then finds it done."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: list[str]) -> int:
    known = recipes()
    parser = argparse.ArgumentParser(prog="make tools", description="The real servers that the tests use.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these of: {', '.join(known)}")
    parser.add_argument("--list", action="store_true", help="what there is, and whether it is built")
    parser.add_argument("--strict", action="store_true", help="fail when anything is missing")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.names) - set(known):
        parser.error(f"no recipe for {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    cache = cache_folder()
    chosen = [known[name] for name in asked.names or known]
    if asked.list:
        for recipe in chosen:
            state = "built" if recipe.is_built(cache) else recipe.missing() or "not built; `make tools`"
            say(recipe.name, f"version {recipe.version}: {state}")
        return 0
    with alone(cache):
        missing = [recipe.name for recipe in chosen if not obtain(recipe, cache)]
    if missing:
        say("tools", f"missing {', '.join(missing)}; see above")
    return 1 if missing and asked.strict else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
