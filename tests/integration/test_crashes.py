"""What is killed comes back, and nobody gets a wrong answer."""

import asyncio
import os
import random
import signal
from collections.abc import Sequence
from pathlib import Path

from adapter.aio.clock import LoopClock
from adapter.cluster.probes import port_accepts
from adapter.cluster.processes import ProcessSpec, Supervisor
from adapter.domain.errors import Code
from adapter.domain.ids import ModelId
from adapter.peers.mesh_client import MeshRefused
from tests.integration import examples, mesh
from tests.integration.conftest import MinioServer
from tests.integration.mesh import Instance

MODELS = 20


def fill(minio: MinioServer, bucket: str) -> None:
    for answer in range(MODELS):
        minio.put(bucket, f"m{answer}.joblib", examples.dumped(examples.constant_model(answer)))


async def register_all(instance: Instance) -> None:
    async with instance.client() as client:
        for answer in range(MODELS):
            await client.register(ModelId(f"m{answer}"), examples.info(f"m{answer}.joblib"))


async def ask(instance: Instance, wanted: int) -> list[int] | Code:
    async with instance.client() as client:
        try:
            answer = await client.infer(examples.request(f"m{wanted}", examples.ONE_ROW), timeout_s=30)
        except MeshRefused as error:
            return error.status
    return examples.answers(answer.response)


async def test_a_killed_runtime_is_restarted_and_its_models_come_back(
    minio: MinioServer, tmp_path: Path
) -> None:
    fill(minio, "crash-runtime")
    mesh.storage_key(tmp_path, "localMinIO", **minio.storage_key("crash-runtime"))
    port = mesh.free_port()
    spec = ProcessSpec(
        name="runtime",
        command=mesh.python_runtime_command(tmp_path / "models", port=port),
        ready=lambda: port_accepts(port),
    )
    async with asyncio.TaskGroup() as owner:
        supervisor = Supervisor(owner=owner, clock=LoopClock())
        runtime = await supervisor.start(spec)
        try:
            with mesh.instance(tmp_path, runtime="python", runtime_port=port) as up:
                await register_all(up)
                outcomes = await _ask_while_the_runtime_is_killed(up, runtime.pid)
                last = [await ask(up, wanted) for wanted in range(MODELS)]
        finally:
            await supervisor.stop()

    refused = [said for wanted, said in outcomes if said != [wanted]]
    assert set(refused) <= {Code.UNAVAILABLE}, "a call in flight may fail; no answer may be wrong"
    assert len(refused) < len(outcomes) / 2
    assert last == [[wanted] for wanted in range(MODELS)]


async def _ask_while_the_runtime_is_killed(
    up: Instance, pid: int | None
) -> list[tuple[int, list[int] | Code]]:
    assert pid is not None
    rng = random.Random(3)
    wanted = [rng.randrange(MODELS) for _ in range(300)]
    doors = asyncio.Semaphore(8)

    async def one(place: int) -> tuple[int, list[int] | Code]:
        async with doors:
            if place == len(wanted) // 3:
                os.kill(pid, signal.SIGKILL)
            return wanted[place], await ask(up, wanted[place])

    return await asyncio.gather(*map(one, range(len(wanted))))


async def test_an_instance_killed_in_the_middle_of_pulls_leaves_nothing_half_done(
    minio: MinioServer, tmp_path: Path
) -> None:
    fill(minio, "crash-instance")
    mesh.storage_key(tmp_path, "localMinIO", **minio.storage_key("crash-instance"))
    with mesh.python_runtime(tmp_path / "models", output=tmp_path / "runtime.log") as (_, port):
        many = {"LOADING_CONCURRENCY": str(MODELS)}
        with mesh.instance(tmp_path, runtime="python", runtime_port=port, **many) as first:
            await register_all(first)
            calls = [asyncio.ensure_future(ask(first, wanted)) for wanted in range(MODELS)]
            await _some_staging_folder(first.models_folder, calls)
            first.process.kill()
            await asyncio.gather(*calls)
        with mesh.instance(tmp_path, runtime="python", runtime_port=port, **many) as second:
            staging = second.models_folder / ".staging"
            assert not staging.exists() or not list(staging.iterdir())
            assert [await ask(second, wanted) for wanted in range(MODELS)] == [
                [wanted] for wanted in range(MODELS)
            ]


async def _some_staging_folder(models: Path, calls: Sequence[asyncio.Future[list[int] | Code]]) -> None:
    """Until a pull is under way: it has a staging folder."""
    clock = LoopClock()
    while not list((models / ".staging").glob("*")):
        assert not all(call.done() for call in calls), "every pull ended before one was seen"
        await clock.sleep(0.0005)
