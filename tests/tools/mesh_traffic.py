"""Both sides of a mesh for benches and tests (bench/mesh/traffic): a runtime without models, and clients."""

import shutil
from pathlib import Path

from tests.tools.recipe import Recipe, Workshop, go_missing, version_of

SOURCES = Path(__file__).resolve().parents[2] / "bench" / "mesh" / "traffic"
NAME = "remesh-mesh-traffic"


def _build(workshop: Workshop) -> None:
    place = workshop.cache / "bin" / NAME
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(SOURCES, workshop.staging, dirs_exist_ok=True)
    built = workshop.staging / NAME
    env = {"CGO_ENABLED": "0"}
    workshop.run("go", "build", "-C", workshop.staging, "-trimpath", "-o", built, ".", env=env)
    built.replace(place)


RECIPE = Recipe(
    name="mesh_traffic",
    version=version_of(*sorted(SOURCES.iterdir())),
    program=f"bin/{NAME}",
    takes="half a minute with an empty Go cache",
    missing=lambda: go_missing("the traffic of a mesh"),
    build=_build,
)
