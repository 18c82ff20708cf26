"""etcd and etcdctl, the registry of clusters; `go install` refuses them, so our own module requires them."""

from tests.tools.recipe import Recipe, Workshop, go_build, go_missing

VERSION = "v3.7.3"
SERVER = "go.etcd.io/etcd/server/v3"
CONTROL = "go.etcd.io/etcd/etcdctl/v3"


def _build(workshop: Workshop) -> None:
    for package, name in ((CONTROL, "etcdctl"), (SERVER, "etcd")):
        go_build(workshop, [f"{package} {VERSION}"], package, name=name)


RECIPE = Recipe(
    name="etcd",
    version=VERSION,
    program="bin/etcd",
    takes="1 to 3 minutes with an empty Go cache",
    missing=lambda: go_missing("etcd"),
    build=_build,
)
