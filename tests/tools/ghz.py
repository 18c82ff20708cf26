"""ghz, which loads a gRPC server as grpc-go's clients do."""

from tests.tools.recipe import Recipe, Workshop, go_install, go_missing

VERSION = "v0.120.0"


def _build(workshop: Workshop) -> None:
    go_install(workshop, f"github.com/bojand/ghz/cmd/ghz@{VERSION}", name="ghz", env={"CGO_ENABLED": "0"})


RECIPE = Recipe(
    name="ghz",
    version=VERSION,
    program="bin/ghz",
    takes="1 to 2 minutes with an empty Go cache",
    missing=lambda: go_missing("ghz"),
    build=_build,
)
