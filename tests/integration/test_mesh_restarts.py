"""Instances that are restarted one after the other, and killed, under traffic: what clients see of it.

`tests/soak/restarts.py` runs it for longer.
"""

import os
from collections.abc import Iterator

import pytest

from bench.mesh.clients import Asking, Registering
from tests.integration.meshes import Mesh, a_mesh

KILLS = int(os.environ.get("REMESH_SOAK_KILLS", "2"))
RESTARTS = int(os.environ.get("REMESH_SOAK_RESTARTS", "1"))
INSTANCES = 5
BEFORE_S = 2.0
"""Traffic before anything happens."""
AFTER_S = 5.0
LEASE_S = 12.0
"""Until a killed instance is not listed any more, at the latest."""

QUESTIONS = Asking(models=2000, rate=500)

pytestmark = pytest.mark.timeout(180 + 60 * KILLS + 120 * RESTARTS)


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """5 instances with 2,000 models, all of them loaded."""
    with a_mesh(tmp_path_factory.mktemp("five"), size=INSTANCES) as mesh:
        mesh.register(Registering(models=QUESTIONS.models))
        yield mesh


def test_a_rolling_restart_fails_no_request(five: Mesh) -> None:
    with five.asked(QUESTIONS) as traffic:
        traffic.go_on(BEFORE_S)
        for _ in range(RESTARTS):
            for member in five.members.values():
                member.restart()
        traffic.go_on(AFTER_S)
        verdict = traffic.end()
    assert (verdict.failed, verdict.wrong) == (0, 0), verdict.described
    assert set(verdict.entries) == set(five.addresses)
    five.settle()


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_instance_fails_nothing_that_enters_elsewhere(five: Mesh, number: int) -> None:
    victim = five.members[f"instance-{number % INSTANCES}"]
    with five.asked(QUESTIONS) as traffic:
        traffic.go_on(BEFORE_S)
        victim.instance.kill()
        traffic.go_on(LEASE_S)
        victim.start()
        victim.wait_until_ready()
        traffic.go_on(AFTER_S)
        verdict = traffic.end()
    assert verdict.failed_but_through(victim.address) == 0, verdict.described
    assert verdict.wrong == 0, verdict.described
    assert verdict.entries[victim.address].count > QUESTIONS.rate * BEFORE_S / INSTANCES / 2
    five.settle()
