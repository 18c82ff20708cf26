"""MinIO, the S3 server that storage is tested against; its project publishes source only."""

from tests.tools.recipe import Recipe, Workshop, go_install, go_missing

VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"


def _build(workshop: Workshop) -> None:
    go_install(workshop, f"github.com/minio/minio@{VERSION}", name="minio", env={"CGO_ENABLED": "0"})


RECIPE = Recipe(
    name="minio",
    version=VERSION,
    program="bin/minio",
    takes="3 to 9 minutes with an empty Go cache",
    missing=lambda: go_missing("MinIO"),
    build=_build,
)
