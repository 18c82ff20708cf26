"""A store that a ModelMesh has left behind: what it registered is served, and nothing of its is lost.

The records are those of reference: ModelMesh core 3.2 to 3.7 and 3.12.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest

from adapter.stubs.mmesh import model_mesh_pb2 as mm
from bench.mesh.place import KEYS
from tests.integration.asking import QUICK, Client
from tests.integration.meshes import Mesh, a_mesh, wait_until

POD = "bbd974-mk99v"
OWNER = "ksp"
ACTIVE, NEXT = f"mnist__{OWNER}-a1b2c3d4e5", f"mnist__{OWNER}-ffee001122"
KEY = json.dumps({"bucket": "b1", "disk_size_bytes": 1000})
HOUR_MS = 3_600_000

SOON_S = 15.0

pytestmark = pytest.mark.timeout(120)


def left_behind(now_ms: int) -> dict[str, object]:
    """What stands in the store, by key; texts are no JSON."""
    used_ms = now_ms - 2 * HOUR_MS
    copies = {POD: used_ms}
    return {
        f"registry/{ACTIVE}": {
            "type": "mt:onnx",
            "mPath": QUICK,
            "encKey": KEY,
            "instanceIds": copies,
            "failedIn": {"87f6fc-6rwf9": used_ms - 10},
            "fails": {"87f6fc-6rwf9": {"msg": "INTERNAL: bad file"}},
            "refs": 1,
            "autoDel": True,
            "lu": used_ms,
            "lul": used_ms - 20,
        },
        f"registry/{NEXT}": {"type": "mt:onnx", "mPath": QUICK, "encKey": KEY, "refs": 1, "autoDel": True},
        "registry/plain": {"type": "t", "mPath": QUICK, "lu": used_ms},
        "registry/team/nested": {"mPath": QUICK, "actionable": True},
        "vmodels/mnist": {"o": OWNER, "amid": ACTIVE, "tmid": NEXT, "failed": True},
        "vmodels/stable": {"amid": "plain", "tmid": "plain"},
        f"instances/{POD}": {
            "startTime": used_ms,
            "vers": now_ms,
            "loc": "10.0.0.7",
            "labels": ["mt:onnx", "pv:grpc-v2", "rt:triton-2.x"],
            "lruTime": used_ms,
            "count": 4,
            "cap": 121472,
            "used": 40960,
            "lThreads": 6,
            "rpm": 120,
        },
        f"leaderLatch/_{POD}": f"_{POD}",
        "config/log_each_invocation": "false",
    }


def written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@pytest.fixture(scope="module")
def left() -> Mapping[str, object]:
    return left_behind(time.time_ns() // 1_000_000)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, left: Mapping[str, object]) -> Iterator[Mesh]:
    """2 instances that find the store so."""
    with a_mesh(tmp_path_factory.mktemp("two"), size=2, REMESH_LEASE_S="2") as mesh:
        for member in mesh.members.values():
            member.instance.stop()
        for key, value in left.items():
            mesh.etcd.ctl("put", f"{KEYS}{key}", written(value))
        mesh.etcd.ctl("put", f"/litelinks/mesh/10.0.0.7_8080_{1:x}", '{"hostname":"10.0.0.7","port":8080}')
        mesh.start()
        yield mesh


@pytest.fixture(scope="module")
def clients(two: Mesh) -> Iterator[list[Client]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Client.of(address)) for address in two.addresses]


def untouched(two: Mesh, left: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    """What is not as it was left, by key: as it was, and as it is."""
    there = two.keys("")
    changed = {}
    for key, value in left.items():
        found = there.get(key, b"").decode()
        if found != written(value):
            changed[key] = (value, found if isinstance(value, str) or not found else json.loads(found))
    return changed


@pytest.mark.parametrize("model", [ACTIVE, NEXT, "plain", "team/nested"])
def test_its_registrations_are_served(clients: list[Client], model: str) -> None:
    assert all(client.ask(model).is_ok for client in clients)
    # Another instance sees a copy a moment after it has answered.
    wait_until(lambda: clients[0].status(model).status == mm.ModelStatusInfo.LOADED, SOON_S, lambda: model)


def test_the_same_registration_again_is_known(clients: list[Client]) -> None:
    assert clients[0].register("plain", type_="t").status == mm.ModelStatusInfo.LOADED


def test_its_aliases_are_served(clients: list[Client]) -> None:
    for client in clients:
        assert client.ask(vmodel="stable").model == "plain"
        assert client.ask(vmodel="mnist").model in {ACTIVE, NEXT}


def test_its_copies_and_instances_are_nobodys(two: Mesh, clients: list[Client]) -> None:
    told = clients[0].explain("plain")
    assert POD not in {copy.instance for copy in told.copies}
    assert not any(POD in refusal for refusal in told.refused), told


def test_reading_changes_nothing_but_where_an_alias_was_to_go(two: Mesh, left: Mapping[str, object]) -> None:
    changed = untouched(two, left)
    assert changed.keys() <= {"vmodels/mnist", f"registry/{ACTIVE}", f"registry/{NEXT}"}


def test_what_is_written_keeps_its_fields(
    two: Mesh, clients: list[Client], left: Mapping[str, object]
) -> None:
    before = {key: json.loads(value) for key, value in two.keys("registry/").items()}
    told = clients[1].set_vmodel(
        mm.SetVModelRequest(vModelId="stable", targetModelId="team/nested", loadNow=True, sync=True)
    )
    assert told.activeModelId == "team/nested"
    after = {key: json.loads(value) for key, value in two.keys("registry/").items()}
    ours = {"type", "lu", "refs", "actionable"}  # these may change, and have meanings of ModelMesh's
    for name, record in before.items():
        kept = {key: value for key, value in record.items() if key not in ours}
        if name == ACTIVE and name not in after:
            continue  # the alias has moved on, and it was to be deleted then
        assert {key: value for key, value in after[name].items() if key not in ours} == kept
    assert after["team/nested"]["type"] == "NLCLASSIFIER"
    assert after["team/nested"]["refs"] == 1
    assert "refs" not in after["plain"]
    clients[0].unregister("plain")
    wait_until(lambda: clients[1].ask("plain").code == "NOT_FOUND", SOON_S, lambda: "it is served still")
    assert two.etcd.ctl("get", "--prefix", "/litelinks/").count("hostname") == 1
