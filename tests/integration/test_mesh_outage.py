"""etcd is away for a while, under traffic: what clients see of it, and what the registry tells afterwards.

`tests/soak/outage.py` keeps it away for longer.
"""

import os
from collections.abc import Iterator

import pytest

from bench.mesh.clients import Asking, Registering, ask, register
from tests.integration.meshes import Mesh, a_mesh

OUTAGE_S = float(os.environ.get("REMESH_SOAK_OUTAGE_S", "30"))
BEFORE_S = 2.0
AFTER_S = 5.0
KNOWN = Registering(models=50, first=1000, load=False)
"""Registered through the instance that will be asked for them, and not loaded."""
NEW = Registering(models=20, first=2000)

LOADED = Asking(models=600, rate=300)

pytestmark = pytest.mark.timeout(240 + OUTAGE_S)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """3 instances with 600 models, all of them loaded."""
    with a_mesh(tmp_path_factory.mktemp("three"), size=3) as mesh:
        mesh.register(Registering(models=LOADED.models))
        yield mesh


def test_an_outage_of_etcd_harms_nobody_who_asks(three: Mesh) -> None:
    first = three.addresses[:1]
    three.register(KNOWN, at=first)
    with three.asked(LOADED) as traffic:
        traffic.go_on(BEFORE_S)
        three.etcd.stop()
        traffic.go_on(OUTAGE_S / 2)
        cold = ask(first, Asking(models=KNOWN.models, first=KNOWN.first, rate=50, seconds=5))
        refused = register(first, Registering(models=1, first=3000))
        traffic.go_on(OUTAGE_S / 2)
        ready = [member.name for member in three.members.values() if member.place.is_ready()]
        three.etcd.start()
        traffic.go_on(AFTER_S)
        verdict = traffic.end()
    assert (verdict.failed, verdict.wrong) == (0, 0), verdict.described
    assert cold.failed == 0, f"known models were not loaded: {cold.described}"
    assert refused.failed == {"UNAVAILABLE": 1}, f"a registration that nobody keeps: {refused}"
    assert ready == list(three.members), "an instance declared itself dead"


def test_afterwards_the_registry_tells_the_truth(three: Mesh) -> None:
    three.settle()
    three.register(NEW, at=three.addresses[1:2])
    verdict = ask(three.addresses[2:], Asking(models=NEW.models, first=NEW.first, rate=50, seconds=2))
    assert verdict.failed == 0, verdict.described
    three.settle()
