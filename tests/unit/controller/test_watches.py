"""Which kinds are followed, by what is asked for and by what this account may read."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from adapter.cluster.cluster import ClusterRefused, ClusterUnavailable, KindMissing
from adapter.controller.settings import ControllerSettings
from adapter.controller.watches import missing_watches
from adapter.domain.kinds import (
    CLUSTER_SERVING_RUNTIME,
    INFERENCE_SERVICE,
    NAMESPACE,
    SECRET,
    Kind,
    Manifest,
)
from tests.fakes.memory_cluster import MemoryCluster

OPTIONAL = {INFERENCE_SERVICE, CLUSTER_SERVING_RUNTIME, SECRET}
HOME = "modelmesh-serving"


class Limited(MemoryCluster):
    """An account that may read these kinds not at all, or in its own namespace only."""

    def __init__(self, *refused: Kind, everywhere: bool = True) -> None:
        super().__init__()
        self._refused = refused
        self._everywhere = everywhere
        self.listed: dict[Kind, str | None] = {}

    async def list(
        self, kind: Kind, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Manifest]:
        self.listed[kind] = namespace
        if kind in self._refused or (namespace is None and not self._everywhere):
            raise ClusterRefused(f"{kind.plural} is forbidden")
        return await super().list(kind, namespace=namespace, labels=labels)


def settings(**given: Any) -> ControllerSettings:
    return ControllerSettings(namespace=HOME, **given)


async def test_everything_that_can_be_read_is_followed() -> None:
    cluster = Limited()
    assert await missing_watches(cluster, settings()) == frozenset()
    assert cluster.listed == {**dict.fromkeys(OPTIONAL, None), NAMESPACE: None, SECRET: HOME}


@pytest.mark.parametrize("kind", sorted(OPTIONAL, key=str), ids=str)
async def test_what_cannot_be_read_is_not_followed(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert await missing_watches(Limited(kind), settings()) == {kind}
    assert "a kind is not followed: it cannot be read" in caplog.text


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (INFERENCE_SERVICE, "isvc_watch"),
        (CLUSTER_SERVING_RUNTIME, "csr_watch"),
        (SECRET, "secret_watch"),
    ],
    ids=str,
)
async def test_what_is_asked_for_and_cannot_be_read_is_an_error(kind: Kind, field: str) -> None:
    variable = f"ENABLE_{field.upper()}"
    with pytest.raises(
        ClusterRefused, match=rf"^{variable} is true, and {kind}s cannot be read: .*forbidden"
    ):
        await missing_watches(Limited(kind), settings(**{field: "true"}))


async def test_what_is_not_asked_for_is_not_tried() -> None:
    cluster = Limited(*OPTIONAL)
    off = settings(isvc_watch="false", csr_watch="false", secret_watch="false")
    assert await missing_watches(cluster, off) == OPTIONAL
    assert set(cluster.listed) == {NAMESPACE}


async def test_a_kind_that_is_not_installed_is_not_followed() -> None:
    cluster = Limited()
    cluster.uninstall(INFERENCE_SERVICE)
    assert await missing_watches(cluster, settings()) == {INFERENCE_SERVICE}
    with pytest.raises(ClusterRefused, match="ENABLE_ISVC_WATCH") as error:
        await missing_watches(cluster, settings(isvc_watch="true"))
    assert isinstance(error.value.__cause__, KindMissing)


async def test_in_the_scope_of_a_namespace_nothing_beyond_it_is_read() -> None:
    cluster = Limited(everywhere=False)
    own = settings(namespace_scope=True, csr_watch="true")
    assert await missing_watches(cluster, own) == {CLUSTER_SERVING_RUNTIME}
    assert cluster.listed == {INFERENCE_SERVICE: HOME, SECRET: HOME}


async def test_without_namespaces_the_cluster_cannot_be_looked_after() -> None:
    with pytest.raises(ClusterRefused, match=r"set NAMESPACE_SCOPE to true: .*forbidden"):
        await missing_watches(Limited(NAMESPACE), settings())


async def test_a_server_that_is_away_is_no_answer() -> None:
    cluster = Limited()
    cluster.away = True
    with pytest.raises(ClusterUnavailable):
        await missing_watches(cluster, settings())
