"""grpc-js, gRPC's client for Node, with the packages that `tests/integration/clients/js` locks."""

import shutil
from pathlib import Path

from tests.tools.recipe import Recipe, Workshop, version_of

PROJECT = Path(__file__).resolve().parents[1] / "integration" / "clients" / "js"
LOCKED = (PROJECT / "package.json", PROJECT / "package-lock.json")


def _missing() -> str | None:
    lacking = [program for program in ("node", "npm") if not shutil.which(program)]
    if not lacking:
        return None
    return f"there is no `{'` and no `'.join(lacking)}` on the PATH: install Node.js 18 or newer with npm"


def _build(workshop: Workshop) -> None:
    for path in LOCKED:
        shutil.copy(path, workshop.staging)
    workshop.run(
        *("npm", "ci", "--prefix", workshop.staging, "--cache", workshop.staging / "npm"),
        *("--ignore-scripts", "--no-audit", "--no-fund"),
    )
    place = workshop.cache / "grpc_js"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    (workshop.staging / "node_modules").replace(place / "node_modules")


RECIPE = Recipe(
    name="grpc_js",
    version=version_of(*LOCKED),
    program="grpc_js/node_modules",
    takes="a few seconds",
    missing=_missing,
    build=_build,
)
