"""etcd is slow, comes back empty, forgets the past, or holds what we cannot read: what clients see of it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import grpc
import pytest

from adapter.stubs.mmesh import model_mesh_pb2 as mm
from bench.mesh.clients import Asking, Registering, ask
from bench.mesh.place import KEYS
from tests.integration.asking import QUICK, Client
from tests.integration.meshes import Mesh, a_mesh, wait_until

SLOW_S = 3.0
"""Longer than the lease."""
LOADED = Asking(models=50, rate=100)
SOON_S = 10.0

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """2 instances with 50 models, all of them loaded."""
    with a_mesh(tmp_path_factory.mktemp("two"), size=2, REMESH_LEASE_S="2") as mesh:
        mesh.register(Registering(models=LOADED.models))
        yield mesh


@pytest.fixture(scope="module")
def clients(two: Mesh) -> Iterator[list[Client]]:
    """One of each instance."""
    with ExitStack() as stack:
        yield [stack.enter_context(Client.of(address)) for address in two.addresses]


def test_while_etcd_hangs_what_is_loaded_is_answered(two: Mesh, clients: list[Client]) -> None:
    clients[0].register("known")
    with two.asked(LOADED) as traffic:
        with two.etcd.frozen():
            traffic.go_on(SLOW_S)
            known = clients[0].ask("known")
            ready = [member.name for member in two.members.values() if member.place.is_ready()]
        verdict = traffic.end()
    assert (verdict.failed, verdict.wrong) == (0, 0), verdict.described
    assert known.is_ok, f"a known model was not loaded: {known}"
    assert ready == list(two.members), "an instance declared itself dead"
    two.settle()


def test_an_instance_that_slept_through_a_compaction_hears_what_it_missed(
    two: Mesh, clients: list[Client]
) -> None:
    awake, sleeper = clients
    sleeping = two.members["instance-1"]
    sleeper.register("gone", load=True)
    assert sleeper.ask("gone").is_ok
    with sleeping.instance.frozen():
        two.etcd.stop()
        two.etcd.start()
        wait_until(lambda: is_heard(awake), SOON_S, lambda: "nothing can be registered")
        awake.unregister("gone")
        awake.register("new", load=True)
        two.etcd.compact()
    assert awake.ask("gone").code == "NOT_FOUND"
    wait_until(
        lambda: sleeper.explain("new").next.startswith("forwarded to instance-0"),
        SOON_S,
        lambda: f"it does not know the new copy: {sleeper.explain('new')}",
    )
    assert sleeper.ask("new").runtime == "instance-0"
    two.settle()


def is_heard(client: Client) -> bool:
    """Whether the registry takes what is registered there."""
    try:
        client.register("known")
    except grpc.RpcError:
        return False
    return True


RECORDS = {
    "registry/newer": {"type": "stub", "mPath": QUICK, "lu": 5, "quantised": {"bits": 4}},
    "vmodels/newer-alias": {"amid": "newer", "tmid": "newer", "rollback": ["newer"]},
    "instances/newer": {"peer": "127.0.0.1:1", "boot": "b", "shutdown": True, "startTime": 1, "gpus": [1]},
    "copies/m0/newer": {"s": "hibernating", "t": 1, "tier": "disk"},
    "copies/m1/newer": {"s": "failed", "t": 1, "u": 2, "f": "INTERNAL: once", "tier": "disk"},
}
"""Of a newer version: fields, and the state of a copy, that we do not know."""
GARBAGE = {
    "registry/garbage": "{{{",
    "vmodels/garbage-alias": "[]",
    "instances/garbage": "no record",
    "copies/m2/garbage": '{"s": 7}',
    "copies/of-nothing": '{"s":"loaded","t":1}',
    "leader/garbage": "?",
}


def test_what_we_cannot_read_is_passed_over_and_kept(two: Mesh, clients: list[Client]) -> None:
    written = {key: json.dumps(record, separators=(",", ":")) for key, record in RECORDS.items()} | GARBAGE
    with two.asked(LOADED) as traffic:
        for key, value in written.items():
            two.etcd.ctl("put", f"{KEYS}{key}", value)
        for client in clients:
            assert client.ask("newer").is_ok
            assert client.ask(vmodel="newer-alias").model == "newer"
        refused = clients[0].ask("garbage")
        alias = clients[0].set_vmodel(mm.SetVModelRequest(vModelId="newer-alias", targetModelId="m0"))
        verdict = traffic.end()
    assert (verdict.failed, verdict.wrong) == (0, 0), verdict.described
    assert "registry/garbage" in refused.text, refused
    assert alias.activeModelId == "m0"
    there = two.keys("")
    assert json.loads(there["registry/newer"])["quantised"] == {"bits": 4}
    assert json.loads(there["vmodels/newer-alias"])["rollback"] == ["newer"]
    kept = {
        key: value for key, value in written.items() if key not in {"registry/newer", "vmodels/newer-alias"}
    }
    assert {key: there[key].decode() for key in kept} == kept
    # Whoever cannot read a registration says how it is mended.
    clients[1].unregister("garbage")
    clients[1].register("garbage", load=True)
    assert clients[0].ask("garbage").is_ok
    for key in kept.keys() - {"registry/garbage"}:
        two.etcd.ctl("del", f"{KEYS}{key}")
    two.settle()


def test_an_etcd_that_comes_back_empty_is_filled_again(two: Mesh, clients: list[Client]) -> None:
    held = two.held()
    with two.asked(LOADED) as traffic:
        two.etcd.kill()
        two.etcd.wipe()
        two.etcd.start()
        two.settle()
        now = two.held()
        assert two.recorded() == now
        assert all(held[name] <= now[name] for name in held), "what is loaded was given up"
        wait_until(lambda: all(map(is_heard, clients)), SOON_S, lambda: "nothing can be registered")
        two.register(Registering(models=LOADED.models))
        verdict = traffic.end()
    # What was registered is lost with the store, and may be answered so until it is registered again.
    assert set(verdict.failed_by_code) <= {"NOT_FOUND"}, verdict.described
    assert (verdict.wrong, verdict.failed < verdict.count / 2) == (0, True), verdict.described
    assert clients[0].register("afterwards", load=True).status == mm.ModelStatusInfo.LOADED
    assert clients[1].ask("afterwards").is_ok
    again = ask(two.addresses, replace(LOADED, seconds=1))
    assert again.failed == 0, again.described
    two.settle()
