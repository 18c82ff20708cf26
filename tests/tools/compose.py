"""Docker Compose, without an engine: it validates `docker-compose.yml`, and starts nothing."""

from tests.tools.recipe import Recipe, Workshop, go_build, go_missing

VERSION = "v2.40.3"
MODULE = "github.com/docker/compose/v2"


def _build(workshop: Workshop) -> None:
    # `go install` refuses a module that excludes versions of others, so it is built from a module of our own.
    go_build(workshop, [f"{MODULE} {VERSION}"], f"{MODULE}/cmd", name="docker-compose")


RECIPE = Recipe(
    name="compose",
    version=VERSION,
    program="bin/docker-compose",
    takes="2 to 4 minutes with an empty Go cache",
    missing=lambda: go_missing("Docker Compose"),
    build=_build,
)
