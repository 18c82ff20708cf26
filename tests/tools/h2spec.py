"""h2spec, the conformance tests of HTTP/2, which the relay is held to."""

from tests.tools.recipe import Recipe, Workshop, go_build, go_missing, version_of

MODULE = "github.com/summerwind/h2spec"

# It names no versions of what it needs, and so must we.
REQUIRES = (
    f"{MODULE} v2.2.1+incompatible",
    "github.com/fatih/color v1.19.0",
    "github.com/spf13/cobra v1.10.2",
    "golang.org/x/net v0.62.0",
)


def _build(workshop: Workshop) -> None:
    go_build(workshop, REQUIRES, f"{MODULE}/cmd/h2spec", name="h2spec")


RECIPE = Recipe(
    name="h2spec",
    version=version_of(REQUIRES),
    program="bin/h2spec",
    takes="a quarter of a minute",
    missing=lambda: go_missing("h2spec"),
    build=_build,
)
