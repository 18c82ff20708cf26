"""How the controller reaches meshes: real instances over a real etcd, plain and with TLS."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

import pytest

from adapter.controller.meshes import MeshChannels, Way
from adapter.controller.verdicts import MeshAnswer, MeshAway, NameTaken
from adapter.domain.errors import Code
from adapter.domain.ids import ModelId
from adapter.domain.records import CopyRules, ModelInfo
from adapter.domain.status import ModelReport, ModelStatus
from adapter.mesh.vmodel_states import VModelStatus
from adapter.mesh.vmodels import SetVModel, VModelReport
from adapter.peers.mesh_client import ChannelTls, MeshClient, MeshRefused
from tests.integration import certificates
from tests.integration.asking import QUICK
from tests.integration.certificates import Certificates
from tests.integration.mesh import free_port
from tests.integration.meshes import Mesh, a_mesh

NS = "ns"
OWNER = "isvc"
SLOW = "SIZE_1000_1500_0"
BROKEN = "FAILS_there is no such file"
SOON_S = 20.0
CALL_S = 2.0

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with a_mesh(tmp_path_factory.mktemp("two"), size=2, REMESH_LEASE_S="2") as mesh:
        yield mesh


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, made: Certificates) -> Iterator[Mesh]:
    """An instance that speaks TLS only, and asks its clients who they are."""
    tls = {
        "MM_TLS_KEY_CERT_PATH": str(made.instance),
        "MM_TLS_PRIVATE_KEY_PATH": str(made.instance_key),
        "MM_TLS_TRUST_CERT_PATH": str(made.authority),
        "MM_TLS_CLIENT_AUTH": "require",
        "MM_INTERNAL_TRUST_CERTS": str(made.authority),
    }
    with a_mesh(tmp_path_factory.mktemp("closed"), size=1, **tls) as mesh:
        yield mesh


class Ways:
    """The channels of a controller, and how the mesh is reached, which a test may change."""

    def __init__(self) -> None:
        self.way = Way(addresses=())
        self.channels = MeshChannels(lambda _namespace: self.way, call_s_max=CALL_S)

    def to(self, *addresses: str, tls: ChannelTls | None = None) -> None:
        self.way = Way(addresses=addresses, tls=tls)

    async def report(self, vmodel: str, *, owner: str = OWNER) -> MeshAnswer:
        return await self.channels.report(NS, vmodel, owner=owner)

    async def until(self, vmodel: str, holds: Callable[[VModelReport], bool]) -> VModelReport:
        """What the mesh says of it, once this holds of that."""
        async with asyncio.timeout(SOON_S):
            while True:
                answer = await self.report(vmodel)
                if isinstance(answer, VModelReport) and holds(answer):
                    return answer
                await asyncio.sleep(0.05)


@pytest.fixture
async def ways(two: Mesh) -> AsyncIterator[Ways]:
    """To both instances."""
    it = Ways()
    it.to(*two.addresses)
    yield it
    await it.channels.close()


def asked(vmodel: str, path: str = QUICK, *, version: int = 1, load: bool = True) -> SetVModel:
    return SetVModel(
        vmodel=vmodel,
        target=ModelId(f"{vmodel}__{OWNER}-{version:010}"),
        info=ModelInfo(type="mt:stub", path=path),
        auto_delete=True,
        load_now=load,
        owner=OWNER,
    )


def status(report: ModelReport | None) -> ModelStatus:
    return ModelStatus.NOT_FOUND if report is None else report.status


def is_loaded(report: VModelReport) -> bool:
    return report.status is VModelStatus.DEFINED and status(report.active) is ModelStatus.LOADED


# What is registered.


async def test_a_model_is_registered_by_its_alias_with_its_rules_and_loaded(ways: Ways, two: Mesh) -> None:
    wish = replace(asked("twice"), rules=CopyRules(copies_min=2))
    answer = await ways.channels.put(NS, wish)
    assert isinstance(answer, VModelReport)
    assert answer.record is not None
    assert (answer.record.active, answer.record.owner) == (wish.target, OWNER)
    report = await ways.until("twice", lambda told: told.active is not None and len(told.active.copies) == 2)
    assert report.active is not None
    assert {copy.instance for copy in report.active.copies} == set(two.members)


async def test_a_load_is_told_from_its_begin_to_its_end(ways: Ways) -> None:
    answer = await ways.channels.put(NS, asked("slow", SLOW))
    assert isinstance(answer, VModelReport)
    assert status(answer.active) is ModelStatus.LOADING
    await ways.until("slow", is_loaded)


async def test_a_model_that_is_not_to_be_loaded_is_registered_only(ways: Ways) -> None:
    answer = await ways.channels.put(NS, asked("standby", load=False))
    assert isinstance(answer, VModelReport)
    assert (answer.status, status(answer.active)) == (VModelStatus.DEFINED, ModelStatus.NOT_LOADED)


async def test_a_load_that_fails_is_told_with_its_cause(ways: Ways) -> None:
    await ways.channels.put(NS, asked("broken", BROKEN))
    report = await ways.until("broken", lambda told: status(told.active) is ModelStatus.LOADING_FAILED)
    assert report.active is not None
    assert "there is no such file" in " ".join(report.active.errors)


async def test_a_new_version_that_fails_leaves_the_old_one(ways: Ways) -> None:
    await ways.channels.put(NS, asked("moves"))
    await ways.until("moves", is_loaded)
    await ways.channels.put(NS, asked("moves", BROKEN, version=2))
    report = await ways.until("moves", lambda told: told.status is VModelStatus.TRANSITION_FAILED)
    assert (status(report.active), status(report.target)) == (ModelStatus.LOADED, ModelStatus.LOADING_FAILED)
    await ways.channels.put(NS, asked("moves", version=3))
    report = await ways.until("moves", is_loaded)
    assert report.record is not None
    assert report.record.active == asked("moves", version=3).target


async def test_the_same_again_changes_nothing(ways: Ways) -> None:
    await ways.channels.put(NS, asked("same"))
    before = await ways.until("same", is_loaded)
    assert await ways.channels.put(NS, asked("same")) == before


async def test_a_model_that_is_forgotten_is_gone_with_its_target(ways: Ways, two: Mesh) -> None:
    await ways.channels.put(NS, asked("gone"))
    assert await ways.channels.forget(NS, "gone", owner=OWNER)
    assert await ways.report("gone") == VModelReport()
    assert await ways.channels.forget(NS, "gone", owner=OWNER), "what is gone is forgotten"
    async with MeshClient.connect(two.addresses[0]) as client:
        assert (await client.status(asked("gone").target)).status is ModelStatus.NOT_FOUND


async def test_the_name_of_another_owner_is_taken(ways: Ways) -> None:
    await ways.channels.put(NS, asked("mine"))
    theirs = replace(asked("mine"), target=ModelId("mine__ksp-0000000001"), owner="ksp")
    assert await ways.channels.put(NS, theirs) == NameTaken()
    assert await ways.report("mine", owner="ksp") in (NameTaken(), VModelReport())
    assert await ways.channels.forget(NS, "mine", owner="ksp")
    assert isinstance(mine := await ways.report("mine"), VModelReport)
    assert mine.record is not None


async def test_what_the_mesh_refuses_otherwise_is_an_error(ways: Ways) -> None:
    await ways.channels.put(NS, asked("fixed"))
    other = replace(asked("fixed"), info=ModelInfo(type="mt:stub", path="elsewhere"))
    with pytest.raises(MeshRefused, match="different attribute values") as error:
        await ways.channels.put(NS, other)
    assert error.value.status is Code.ALREADY_EXISTS


# Where the mesh is.


async def test_where_nothing_runs_there_is_nobody_to_ask(ways: Ways) -> None:
    ways.to()
    assert await ways.channels.put(NS, asked("nowhere")) == MeshAway(no_pods=True)
    assert await ways.report("nowhere") == MeshAway(no_pods=True)
    assert await ways.channels.forget(NS, "nowhere", owner=OWNER) is False


async def test_where_nobody_listens_is_told(ways: Ways) -> None:
    ways.to(f"127.0.0.1:{free_port()}")
    answer = await ways.report("anything")
    assert isinstance(answer, MeshAway)
    assert not answer.no_pods
    assert "UNAVAILABLE" in answer.text


async def test_addresses_are_followed(ways: Ways, two: Mesh) -> None:
    await ways.channels.put(NS, asked("followed"))
    for addresses in ((two.addresses[0],), (two.addresses[1],), (), tuple(two.addresses)):
        ways.to(*addresses)
        assert isinstance(await ways.report("followed"), VModelReport if addresses else MeshAway)


async def test_an_instance_that_has_gone_is_passed_over(ways: Ways, two: Mesh) -> None:
    await ways.channels.put(NS, asked("stays"))
    ways.to(f"127.0.0.1:{free_port()}", two.addresses[0])
    for _ in range(10):
        assert isinstance(await ways.report("stays"), VModelReport)


async def test_an_instance_that_comes_back_at_its_address_is_found_again(ways: Ways, two: Mesh) -> None:
    member = two.members["instance-1"]
    ways.to(member.address)
    assert isinstance(await ways.report("back"), VModelReport)
    member.instance.stop()
    assert isinstance(await ways.report("back"), MeshAway)
    member.start()
    await asyncio.to_thread(member.wait_until_ready)
    await ways.until("back", lambda told: told == VModelReport())


async def test_an_instance_that_hangs_is_not_waited_for(ways: Ways, two: Mesh) -> None:
    member = two.members["instance-1"]
    ways.to(member.address)
    assert isinstance(await ways.report("hangs"), VModelReport)
    loop = asyncio.get_running_loop()
    with member.instance.frozen():
        began_s = loop.time()
        answer = await ways.report("hangs")
        took_s = loop.time() - began_s
    assert answer == MeshAway(no_pods=False, text=f"the mesh did not answer within {CALL_S:g} s")
    assert took_s < CALL_S + 1.0
    await ways.until("hangs", lambda told: told == VModelReport())


async def test_a_call_that_is_under_way_ends_though_the_addresses_change(ways: Ways, two: Mesh) -> None:
    hanging, other = two.members["instance-1"], two.members["instance-0"]
    ways.to(hanging.address)
    assert isinstance(await ways.report("waits"), VModelReport)
    with hanging.instance.frozen():
        calls = [asyncio.create_task(ways.report("waits")) for _ in range(8)]
        await asyncio.sleep(0.2)
        ways.to(other.address)
        others = await asyncio.gather(*(ways.report("waits") for _ in range(8)))
        assert all(answer == VModelReport() for answer in others)
        ways.to()
        assert await ways.report("waits") == MeshAway(no_pods=True)
    assert all(answer == VModelReport() for answer in await asyncio.gather(*calls))


# TLS.


def shown(made: Certificates, **other: object) -> ChannelTls:
    tls = ChannelTls(
        roots=made.authority.read_bytes(),
        key=made.instance_key.read_bytes(),
        certificates=made.instance.read_bytes(),
        authority="instance.pods",
    )
    return replace(tls, **other)  # type: ignore[arg-type]


async def test_with_tls_both_sides_show_who_they_are(ways: Ways, closed: Mesh, made: Certificates) -> None:
    ways.to(*closed.addresses, tls=shown(made))
    assert isinstance(await ways.channels.put(NS, asked("secret")), VModelReport)
    await ways.until("secret", is_loaded)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"authority": "elsewhere"}, id="another name"),
        pytest.param({"authority": ""}, id="no name"),
        pytest.param({"roots": None}, id="another authority"),
        pytest.param({"roots": b"no certificate"}, id="no authority at all"),
        pytest.param({"key": None, "certificates": None}, id="shows nothing"),
        pytest.param({"certificates": None}, id="a key alone"),
        pytest.param({"key": None}, id="a certificate alone"),
        pytest.param({"key": b"no key"}, id="no key at all"),
    ],
)
async def test_with_other_certificates_it_is_away_until_they_are_mended(
    ways: Ways, closed: Mesh, made: Certificates, other: dict[str, object]
) -> None:
    ways.to(*closed.addresses, tls=shown(made, **other))
    answer = await ways.report("secret")
    assert isinstance(answer, MeshAway)
    assert not answer.no_pods
    ways.to(*closed.addresses, tls=shown(made))
    assert isinstance(await ways.report("secret"), VModelReport)


async def test_without_tls_nothing_is_said(ways: Ways, closed: Mesh) -> None:
    ways.to(*closed.addresses)
    assert isinstance(await ways.report("secret"), MeshAway)
