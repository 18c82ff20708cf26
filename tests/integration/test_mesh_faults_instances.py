"""An instance that stands still, one whose clock is wrong, two with one id: what clients see of it."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bench.mesh.clients import Asking, Registering
from tests.integration.asking import Client
from tests.integration.meshes import Member, Mesh, a_member, a_mesh, wait_until

LONG_LEASE_S = 60
"""Of `instance-0`: its record outlives it."""
LEASE_S = 2
LEASE_ENDS_S = 8.0
"""After so long nobody lists who is silent: etcd looks for leases that have ended once a second."""
ANSWERED_S_MAX = 4.0
"""What enters elsewhere while an instance stands still is answered so soon, at worst."""
HOUR_MS = 3_600_000
LOADED = Asking(models=60, rate=120)
STARTED_S = 30.0

SKEWED = f"""
from adapter.aio.clock import LoopClock
right = LoopClock.epoch_ms
LoopClock.epoch_ms = lambda self: right(self) + {HOUR_MS}
from adapter.cli.main import main
raise SystemExit(main())
"""
"""An instance whose clock is an hour ahead."""

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """3 instances with 60 models, all of them loaded; the clock of the third is an hour ahead."""
    folder = tmp_path_factory.mktemp("three")
    with a_mesh(folder, size=1, REMESH_LEASE_S=str(LONG_LEASE_S)) as mesh:
        for name in ("instance-1", "ahead"):
            member = a_member(folder, name, etcd=mesh.etcd, REMESH_LEASE_S=str(LEASE_S))
            mesh.members[name] = member
            if name == "ahead":
                member.instance.command = (sys.executable, "-c", SKEWED, "instance")
            member.start()
            member.wait_until_ready()
        mesh.register(Registering(models=LOADED.models))
        yield mesh


@pytest.fixture(scope="module")
def clients(three: Mesh) -> Iterator[dict[str, Client]]:
    """One of each instance, by its name."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(Client.of(member.address)) for name, member in three.members.items()}


def test_an_hour_between_clocks_harms_nobody(three: Mesh, clients: dict[str, Client]) -> None:
    with three.asked(LOADED) as traffic:
        for name, client in clients.items():
            model = f"registered-by-{name}"
            client.register(model, load=True)
            assert all(other.ask(model).is_ok for other in clients.values())
        verdict = traffic.end()
    assert (verdict.failed, verdict.wrong) == (0, 0), verdict.described
    assert set(verdict.runtimes) == set(three.members), "somebody holds nothing"
    three.settle()


def test_what_enters_elsewhere_while_an_instance_stands_still_is_answered(
    three: Mesh, clients: dict[str, Client]
) -> None:
    still = three.members["instance-1"]
    others = [address for address in three.addresses if address != still.address]
    held = set(still.stub.models())
    assert held
    with three.asked(LOADED, at=others) as traffic:
        with still.instance.frozen():
            wait_until(
                lambda: still.name not in three.keys("instances/"), LEASE_ENDS_S, lambda: "it is still listed"
            )
            copies = three.recorded()[still.name]
            assert not copies, "its copies outlived its lease"
            traffic.go_on(1.0)
        wait_until(lambda: still.name in three.keys("instances/"), LEASE_ENDS_S, lambda: "it did not re-join")
        three.settle()
        verdict = traffic.end()
    assert (verdict.failed, verdict.wrong) == (0, 0), verdict.described
    assert verdict.max_ms < 1e3 * ANSWERED_S_MAX, verdict.described
    assert held <= three.recorded()[still.name], "not all copies were published again"
    assert all(clients["instance-1"].ask(f"m{number}").is_ok for number in range(5))


@pytest.fixture(scope="module")
def twin(three: Mesh) -> Iterator[Member]:
    """Another instance with the id of `instance-0`, before a runtime of its own; not started."""
    member = a_member(three.folder / "twin", "instance-0", etcd=three.etcd, REMESH_LEASE_S=str(LEASE_S))
    yield member
    member.instance.end()
    member.runtime.end()


def test_the_second_instance_of_an_id_does_not_start_while_the_first_lives(
    three: Mesh, clients: dict[str, Client], twin: Member
) -> None:
    with three.asked(LOADED) as traffic:
        twin.start()
        child = twin.instance.child
        assert child is not None
        status = child.wait(STARTED_S)
        verdict = traffic.end()
    assert status != 0
    assert "another instance of this mesh has the id instance-0" in twin.instance.said
    assert "WKUBE_POD_NAME" in twin.instance.said, "the text does not say what to do"
    assert (verdict.failed, verdict.wrong) == (0, 0), verdict.described
    three.settle()


def test_an_id_is_taken_over_from_one_that_was_killed(
    three: Mesh, clients: dict[str, Client], twin: Member
) -> None:
    first = three.members["instance-0"]
    others = [address for address in three.addresses if address != first.address]
    with three.asked(LOADED, at=others) as traffic:
        first.instance.kill()
        twin.instance.start()
        twin.wait_until_ready()
        three.members["instance-0"] = twin
        first.runtime.end()
        verdict = traffic.end()
    assert "an entry of one who is gone is taken over" in twin.instance.output.read_text()
    assert (verdict.failed, verdict.wrong) == (0, 0), verdict.described
    with Client.of(twin.address) as client:
        assert client.ask("m0").is_ok
    three.settle()
