"""The ConfigMap that people change while the controller runs; how it is followed: `test_manager`."""

from typing import Any

import pytest

from adapter.aio.clock import LoopClock
from adapter.cluster.cluster import Changed
from adapter.controller.config import ControllerConfig
from adapter.controller.config_work import USER_CONFIG, ConfigWork
from adapter.controller.doors import Doors
from adapter.controller.world import Scope, World
from adapter.domain.kinds import CONFIG_MAP, key_of
from tests.fakes.declared_mesh import DeclaredMesh
from tests.fakes.fleet import MemoryFleet
from tests.fakes.memory_cluster import MemoryCluster
from tests.unit.controller.managed import HOME, Told

DEFAULTS = ControllerConfig(pods_per_runtime=7)


def config_map(content: str, *, namespace: str = HOME) -> dict[str, Any]:
    return {"metadata": {"name": USER_CONFIG, "namespace": namespace}, "data": {"config.yaml": content}}


class Work:
    """Looks at a ConfigMap, in a world whose configuration is that of the defaults."""

    def __init__(self) -> None:
        self.world = World(Scope(namespace=HOME), DEFAULTS)
        self.told = Told()
        doors = Doors(
            cluster=MemoryCluster(),
            fleet=MemoryFleet(),
            meshes=DeclaredMesh(),
            recorder=self.told,
            clock=LoopClock(),
        )
        self._work = ConfigWork(self.world, doors, defaults=DEFAULTS)

    def finds(self, manifest: dict[str, Any]) -> bool:
        """Whether the configuration is another one, now that this is there."""
        key = key_of(manifest, CONFIG_MAP)
        self.world.hear(CONFIG_MAP, Changed(key=key, manifest=manifest))
        return self._work.look()

    def loses(self, manifest: dict[str, Any]) -> bool:
        self.world.hear(CONFIG_MAP, Changed(key=key_of(manifest, CONFIG_MAP), manifest=None))
        return self._work.look()

    @property
    def pods(self) -> int:
        return self.world.config.pods_per_runtime


@pytest.fixture
async def work() -> Work:
    return Work()


async def test_what_it_says_holds_and_all_else_is_as_the_defaults_have_it(work: Work) -> None:
    assert work.finds(config_map("restProxy: {port: 9000}"))
    assert (work.world.config.rest.port, work.pods) == (9000, 7)


async def test_the_same_again_is_no_change(work: Work) -> None:
    assert work.finds(config_map("podsPerRuntime: 3"))
    assert not work.finds(config_map("podsPerRuntime: 3 # as it was"))


async def test_without_it_the_defaults_hold(work: Work) -> None:
    assert not work.loses(config_map(""))
    work.finds(config_map("podsPerRuntime: 3"))
    assert work.loses(config_map(""))
    assert work.world.config == DEFAULTS


async def test_one_of_another_namespace_is_none_of_ours(work: Work) -> None:
    assert not work.finds(config_map("podsPerRuntime: 3", namespace="other"))


@pytest.mark.parametrize(
    "content",
    ["podsPerRuntime: many", "podsPerRuntime: [", "serviceAccountName: {}"],
    ids=["a wrong value", "no YAML", "a wrong kind"],
)
async def test_what_cannot_be_read_is_told_and_leaves_the_configuration_as_it_was(
    work: Work, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    work.finds(config_map("podsPerRuntime: 3"))
    assert not work.finds(config_map(content))
    assert work.pods == 3
    assert work.told.of(USER_CONFIG) == ["InvalidConfiguration"]
    assert "the configuration stays as it was" in caplog.text
    assert work.finds(config_map("podsPerRuntime: 4"))
