"""helm, which renders the chart of `deploy/helm`."""

from tests.tools.recipe import Recipe, Workshop, go_install, go_missing

VERSION = "v3.22.0"


def _build(workshop: Workshop) -> None:
    go_install(workshop, f"helm.sh/helm/v3/cmd/helm@{VERSION}", name="helm", env={"CGO_ENABLED": "0"})


RECIPE = Recipe(
    name="helm",
    version=VERSION,
    program="bin/helm",
    takes="2 to 4 minutes with an empty Go cache",
    missing=lambda: go_missing("helm"),
    build=_build,
)
