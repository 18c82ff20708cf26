"""The management API's contract before real instances: one alone, and a mesh of two over a real etcd."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack

import grpc
import pytest

from tests.contracts.management import ManagementContract, rows, run
from tests.contracts.management_rows import READ_ONLY_BEFORE, READ_ONLY_ROWS
from tests.contracts.management_steps import DEFAULT_OWNER, Step
from tests.contracts.vmodel_rows import INFERENCE_ROWS
from tests.integration.meshes import Mesh, a_member, a_mesh

SETTINGS = {"REMESH_LEASE_S": "2", "MM_DEFAULT_VMODEL_OWNER": DEFAULT_OWNER}

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with a_mesh(tmp_path_factory.mktemp("two"), size=2, **SETTINGS) as mesh:
        yield mesh


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with a_mesh(tmp_path_factory.mktemp("one"), size=1, **SETTINGS) as mesh:
        yield mesh


async def _channels(mesh: Mesh) -> AsyncIterator[Sequence[grpc.aio.Channel]]:
    async with AsyncExitStack() as stack:
        opened = [grpc.aio.insecure_channel(address) for address in mesh.addresses]
        yield [await stack.enter_async_context(channel) for channel in opened]


class TestOneInstance(ManagementContract):
    @pytest.fixture
    async def channels(self, one: Mesh) -> AsyncIterator[Sequence[grpc.aio.Channel]]:
        async for channels in _channels(one):
            yield channels


class TestTwoInstances(ManagementContract):
    @pytest.fixture
    async def channels(self, two: Mesh) -> AsyncIterator[Sequence[grpc.aio.Channel]]:
        async for channels in _channels(two):
            yield channels

    @pytest.mark.parametrize("steps", rows(INFERENCE_ROWS))
    async def test_inference(self, channels: Sequence[grpc.aio.Channel], steps: Sequence[Step]) -> None:
        await run(channels, steps)


@pytest.fixture(scope="module")
def reading(one: Mesh) -> Iterator[str]:
    """The address of a further instance, which may not write."""
    member = a_member(one.folder, "reading", etcd=one.etcd, KV_READ_ONLY="true", **SETTINGS)
    try:
        member.start()
        member.wait_until_ready()
        yield member.address
    finally:
        member.instance.end()
        member.runtime.end()


@pytest.mark.parametrize("steps", rows(READ_ONLY_ROWS))
async def test_read_only(one: Mesh, reading: str, steps: Sequence[Step]) -> None:
    [address] = one.addresses
    async with grpc.aio.insecure_channel(address) as writer, grpc.aio.insecure_channel(reading) as reader:
        await run([writer], READ_ONLY_BEFORE, prefix="row-")
        await run([reader], steps, prefix="row-")
