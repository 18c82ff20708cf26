"""A mesh of real processes in which only a door runs, until somebody is asked for."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapter.mesh.wanted_types import LINGER_S
from adapter.registry.encoding import decode_wanted
from tests.integration import etcd as real_etcd
from tests.integration.asking import Client
from tests.integration.meshes import Member, Mesh, a_member, require_traffic, wait_until

HOLD_S = "40"

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Mesh]:
    """One instance, without a runtime."""
    require_traffic()
    with real_etcd.serving(tmp_path / "etcd") as etcd:
        it = a_member(tmp_path, "door", etcd=etcd, REMESH_RUNTIME="none", REMESH_HOLD_S=HOLD_S)
        mesh = Mesh(folder=tmp_path, etcd=etcd, members={it.name: it})
        try:
            it.instance.start()
            it.wait_until_ready()
            yield mesh
        finally:
            for member in mesh.members.values():
                member.instance.end()
                member.runtime.end()


def wanted(mesh: Mesh) -> dict[str, tuple[str, ...]]:
    return {key: decode_wanted(key, value) for key, value in mesh.keys("wanted/").items()}


def joining(mesh: Mesh) -> Member:
    """An instance with a runtime comes."""
    member = a_member(mesh.folder, "late", etcd=mesh.etcd, REMESH_HOLD_S=HOLD_S)
    mesh.members[member.name] = member
    member.start()
    return member


def test_a_call_at_the_door_is_held_and_answered_by_who_comes(door: Mesh) -> None:
    with Client.of(door.members["door"].address) as client, ThreadPoolExecutor(1) as aside:
        client.register("m0")
        asking = aside.submit(client.ask, "m0", deadline_s=60.0)
        wait_until(lambda: bool(wanted(door)), 10.0, lambda: str(asking))
        assert wanted(door) == {"door": ("stub",)}
        assert not asking.done()
        late = joining(door)
        answer = asking.result(60.0)
        assert (answer.code, answer.model) == ("OK", "m0"), answer
        assert set(late.stub.models()) == {"m0"}
        assert client.ask("m0").code == "OK"
        wait_until(lambda: not wanted(door), LINGER_S + 10.0, lambda: str(wanted(door)))
