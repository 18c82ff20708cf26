"""More models than memory: every answer is right, the cache stays within its room, and memory returns."""

import asyncio
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.domain.ids import ModelId
from tests.integration import examples, mesh
from tests.integration.conftest import MinioServer
from tests.integration.mesh import Instance, Process

MODELS = 1_000
FIT = 200
REQUESTS = int(os.environ.get("REMESH_SOAK_REQUESTS", "2000"))
ROUNDS = 10
IN_FLIGHT = 16
MODEL_BYTES = 1_900
"""What one of these models is held to take at most; `make bench NAME=density` measures it."""


@pytest.fixture(scope="module")
def objects(minio: MinioServer) -> None:
    for answer in range(MODELS):
        minio.put("many", f"m{answer}.joblib", examples.dumped(examples.constant_model(answer)))


@pytest.fixture
def served(minio: MinioServer, objects: None, tmp_path: Path) -> Iterator[tuple[Instance, Process]]:
    mesh.storage_key(tmp_path, "localMinIO", **minio.storage_key("many"))
    with (
        mesh.python_runtime(tmp_path / "models", output=tmp_path / "runtime.log") as (runtime, port),
        mesh.instance(
            tmp_path,
            runtime="python",
            runtime_port=port,
            CONTAINER_MEM_REQ_BYTES=str(FIT * MODEL_BYTES),
            MEM_BUFFER_BYTES="0",
            LOADING_CONCURRENCY="4",
        ) as up,
    ):
        yield up, runtime


def resident_bytes(process: Process) -> int:
    status = Path(f"/proc/{process.child.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


async def one_round(served: Instance, rng: random.Random, requests: int) -> list[tuple[int, list[int]]]:
    """Uniform requests, some at once; for each the model asked and what it answered."""
    doors = asyncio.Semaphore(IN_FLIGHT)
    async with served.client() as client:

        async def ask(wanted: int) -> tuple[int, list[int]]:
            async with doors:
                answer = await client.infer(examples.request(f"m{wanted}", examples.ONE_ROW), timeout_s=60)
            return wanted, examples.answers(answer.response)

        return await asyncio.gather(*(ask(rng.randrange(MODELS)) for _ in range(requests)))


def held_bytes(served: Instance) -> list[int]:
    """What the loaded models held together, after each load and unload, as the instance's log tells."""
    sizes: dict[str, int] = {}
    story = []
    for line in served.process.lines("model loaded", "model unloaded"):
        model = str(line["model"])
        if line["message"] == "model loaded":
            sizes[model] = int(str(line["size_bytes"]))
        else:
            sizes.pop(model, None)
        story.append(sum(sizes.values()))
    return story


async def test_a_thousand_models_share_room_for_two_hundred(served: tuple[Instance, Process]) -> None:
    instance, runtime = served
    rng = random.Random(7)
    async with instance.client() as client:
        for answer in range(MODELS):
            await client.register(ModelId(f"m{answer}"), examples.info(f"m{answer}.joblib"))

    resident = []
    for _ in range(ROUNDS):
        answers = await one_round(instance, rng, REQUESTS // ROUNDS)
        assert all(said == [wanted] for wanted, said in answers)
        resident.append(resident_bytes(runtime))

    held = held_bytes(instance)
    print(  # noqa: T201 - what `make soak` tells
        f"{REQUESTS} requests, {len(held)} loads and unloads, "
        f"at most {max(held)} of {FIT * MODEL_BYTES} bytes held; "
        f"resident after each round: {[f'{each / 2**20:.1f} MiB' for each in resident]}"
    )
    assert max(held) <= FIT * MODEL_BYTES
    assert len(held) > REQUESTS, "models were evicted and loaded again"
    assert resident[-1] <= resident[0] * 1.15
