"""A model goes from S3 to an answer on 8033: real MinIO, the in-house runtime, a real instance."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from adapter.domain.ids import ModelId
from adapter.domain.status import ModelStatus
from tests.integration import examples, mesh
from tests.integration.conftest import MinioServer
from tests.integration.mesh import Instance

DIGITS = ModelId("digits")


@pytest.fixture(scope="module")
def served(minio: MinioServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An instance with two registered models in MinIO, none of them loaded."""
    folder = tmp_path_factory.mktemp("first-light")
    minio.put(examples.BUCKET, "sklearn/digits.joblib", examples.dumped(examples.digits_model()))
    mesh.storage_key(folder, "localMinIO", **minio.storage_key(examples.BUCKET))
    with (
        mesh.python_runtime(folder / "models", output=folder / "runtime.log") as (_, port),
        mesh.instance(folder, runtime="python", runtime_port=port) as up,
    ):
        yield up


async def test_a_cold_model_answers_and_tells_where_the_time_went(served: Instance) -> None:
    pixels = np.arange(128, dtype=np.float64).reshape(2, 64) % 17
    async with served.client() as client:
        told = await client.register(DIGITS, examples.info("sklearn/digits.joblib"))
        assert told.status is ModelStatus.NOT_LOADED
        cold = await client.infer(examples.request(DIGITS, pixels))
        warm = await client.infer(examples.request(DIGITS, pixels))
        assert (await client.status(DIGITS)).status is ModelStatus.LOADED
    expected = examples.digits_model().predict(pixels).tolist()
    assert examples.answers(cold.response) == examples.answers(warm.response) == expected
    assert list(cold.timings_ms) == ["queue", "pull", "load", "infer"]
    assert not warm.timings_ms


def test_tritonclient_works_unmodified(served: Instance) -> None:
    pixels = np.arange(128, dtype=np.float64).reshape(2, 64) % 17
    client = Path(__file__).parent / "clients" / "triton.py"
    said = subprocess.run(
        [sys.executable, client, served.address, DIGITS, DIGITS], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    saw = json.loads(said.stdout)
    assert (saw["live"], saw["ready"], saw["model_ready"]) == (True, True, True)
    assert saw["server"] == "remesh"
    assert saw["inputs"] == [["FP64", [-1, 64]]]
    assert saw["answer"] == examples.digits_model().predict(pixels).tolist()
    assert saw["big"] == [20_000]
    assert saw["unknown"][0] == "StatusCode.NOT_FOUND"
    assert "nobody" in saw["unknown"][1]
    assert saw["wrong_shape"][0] == "StatusCode.INVALID_ARGUMENT"
    assert "64" in saw["wrong_shape"][1]


async def test_registrations_survive_a_restart(minio: MinioServer, tmp_path: Path) -> None:
    minio.put(examples.BUCKET, "one.joblib", examples.dumped(examples.constant_model(1)))
    mesh.storage_key(tmp_path, "localMinIO", **minio.storage_key(examples.BUCKET))
    with mesh.python_runtime(tmp_path / "models", output=tmp_path / "runtime.log") as (_, port):
        with mesh.instance(tmp_path, runtime="python", runtime_port=port) as first:
            async with first.client() as client:
                await client.register(ModelId("one"), examples.info("one.joblib"), load_now=True)
            assert first.process.stop() == 0
        with mesh.instance(tmp_path, runtime="python", runtime_port=port) as second:
            async with second.client() as client:
                assert [model.name for model in await client.models()] == ["one"]
                answer = await client.infer(examples.request("one", examples.ONE_ROW))
    assert examples.answers(answer.response) == [1]


async def test_fifty_calls_for_one_cold_model_cause_one_pull_and_one_load(
    minio: MinioServer, served: Instance
) -> None:
    import asyncio

    minio.put(examples.BUCKET, "seven.joblib", examples.dumped(examples.constant_model(7)))
    async with served.client() as client:
        await client.register(ModelId("seven"), examples.info("seven.joblib"))
        calls = (client.infer(examples.request("seven", examples.ONE_ROW)) for _ in range(50))
        answers = await asyncio.gather(*calls)
    assert {tuple(examples.answers(answer.response)) for answer in answers} == {(7,)}
    for deed in ("model pulled", "model loaded"):
        assert len([line for line in served.process.lines(deed) if line["model"] == "seven"]) == 1
