"""kustomize, which renders `deploy/`; `kubectl kustomize` is the same of an older version."""

from tests.tools.recipe import Recipe, Workshop, go_install, go_missing

VERSION = "v5.8.2"


def _build(workshop: Workshop) -> None:
    package = f"sigs.k8s.io/kustomize/kustomize/v5@{VERSION}"
    go_install(workshop, package, name="kustomize", env={"CGO_ENABLED": "0"})


RECIPE = Recipe(
    name="kustomize",
    version=VERSION,
    program="bin/kustomize",
    takes="1 to 2 minutes with an empty Go cache",
    missing=lambda: go_missing("kustomize"),
    build=_build,
)
