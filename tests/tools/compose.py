"""Docker Compose, without an engine: it validates `docker-compose.yml`, and starts nothing."""

from tests.tools.recipe import Recipe, Workshop, go_missing

VERSION = "v2.40.3"
MODULE = "github.com/docker/compose/v2"
PACKAGE = f"{MODULE}/cmd"

# `go install` refuses a module that excludes versions of others, so it is built from a module of our own.
GO_MOD = f"module remesh/tools/compose\n\ngo 1.24\n\nrequire {MODULE} {VERSION}\n"
GO_FILE = f'//go:build tools\n\npackage tools\n\nimport _ "{PACKAGE}"\n'


def _build(workshop: Workshop) -> None:
    (workshop.staging / "go.mod").write_text(GO_MOD)
    (workshop.staging / "tools.go").write_text(GO_FILE)
    built = workshop.staging / "docker-compose"
    workshop.run("go", "-C", workshop.staging, "mod", "tidy")
    workshop.run("go", "-C", workshop.staging, "build", "-o", built, PACKAGE, env={"CGO_ENABLED": "0"})
    place = workshop.cache / "bin" / "docker-compose"
    place.parent.mkdir(parents=True, exist_ok=True)
    built.replace(place)


RECIPE = Recipe(
    name="compose",
    version=VERSION,
    program="bin/docker-compose",
    takes="2 to 4 minutes with an empty Go cache",
    missing=lambda: go_missing("Docker Compose"),
    build=_build,
)
