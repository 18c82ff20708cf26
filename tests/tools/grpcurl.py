"""grpcurl, which asks a gRPC server by its reflection, or by `.proto` files."""

from tests.tools.recipe import Recipe, Workshop, go_install, go_missing

VERSION = "v1.9.4"


def _build(workshop: Workshop) -> None:
    package = f"github.com/fullstorydev/grpcurl/cmd/grpcurl@{VERSION}"
    go_install(workshop, package, name="grpcurl", env={"CGO_ENABLED": "0"})


RECIPE = Recipe(
    name="grpcurl",
    version=VERSION,
    program="bin/grpcurl",
    takes="1 to 2 minutes with an empty Go cache",
    missing=lambda: go_missing("grpcurl"),
    build=_build,
)
