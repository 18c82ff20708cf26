"""What a cold call costs beyond its pull, its load and its inference.

A real MinIO, the in-house runtime and a real instance; small scikit-learn models, each asked once. The pull,
the load and the inference are what the instance tells of them; ours is the rest of what the client waited.
"""

import asyncio
import io
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import boto3
import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression

from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.peers.mesh_client import MeshClient
from adapter.stubs.inference import open_inference_pb2 as v2
from bench import harness, one_instance
from bench.harness import Spread

LOADS: Final = 50
LOADS_QUICK: Final = 20
WARM_CALLS: Final = 20
BUCKET: Final = "coldstart"
CREDENTIALS: Final = {"MINIO_ROOT_USER": "bench", "MINIO_ROOT_PASSWORD": "bench-secret"}
STEPS: Final = ("pull", "load", "infer")


def main() -> None:
    """Measure and report."""
    asked = harness.arguments(__doc__)
    loads = LOADS_QUICK if asked.quick else LOADS
    with tempfile.TemporaryDirectory(prefix="remesh-bench-") as name:
        folder, port = Path(name), harness.free_port()
        with one_instance.minio(folder / "objects", port=port, env=CREDENTIALS) as store:
            _fill(store, loads)
            _put_storage_key(folder / "storage-config", store)
            runtime_port = harness.free_port()
            area = folder / "models" / "_python_models"
            area.mkdir(parents=True)
            with (
                harness.python_runtime(area, port=runtime_port),
                one_instance.instance(folder, runtime_port=runtime_port) as address,
            ):
                rows = asyncio.run(_measure(address, loads))
    _tell(rows)


def _fill(endpoint_url: str, loads: int) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        aws_access_key_id=CREDENTIALS["MINIO_ROOT_USER"],
        aws_secret_access_key=CREDENTIALS["MINIO_ROOT_PASSWORD"],
        region_name="us-east-1",
    )
    s3.create_bucket(Bucket=BUCKET)
    rng = np.random.default_rng(7)
    for number in range(loads + 1):
        model = LogisticRegression().fit(rng.normal(size=(20, 4)), [0, 1] * 10)
        content = io.BytesIO()
        joblib.dump(model, content)
        s3.put_object(Bucket=BUCKET, Key=f"m{number}.joblib", Body=content.getvalue())


def _put_storage_key(keys: Path, endpoint_url: str) -> None:
    keys.mkdir()
    entry = {
        "type": "s3",
        "endpoint_url": endpoint_url,
        "access_key_id": CREDENTIALS["MINIO_ROOT_USER"],
        "secret_access_key": CREDENTIALS["MINIO_ROOT_PASSWORD"],
        "region": "us-east-1",
        "bucket": BUCKET,
    }
    (keys / "localMinIO").write_text(json.dumps(entry))


async def _measure(address: str, loads: int) -> list[dict[str, float]]:
    """One row of milliseconds for each cold call: the steps, the whole, and a warm call's whole."""
    key = json.dumps({"storage_key": "localMinIO", "model_type": {"name": "sklearn"}})
    async with MeshClient.connect(address) as client:
        for number in range(loads + 1):
            info = ModelInfo(type="sklearn", path=f"m{number}.joblib", key=key)
            await client.register(ModelId(f"m{number}"), info)
        # The first one imports the library, makes the S3 client and connects.
        await _timed(client, "m0")
        warm = [(await _timed(client, "m0"))["whole"] for _ in range(WARM_CALLS)]
        rows = [await _timed(client, f"m{number}") for number in range(1, loads + 1)]
    return [row | {"warm": Spread.of(warm).median} for row in rows]


async def _timed(client: MeshClient, model: str) -> dict[str, float]:
    request = v2.ModelInferRequest(model_name=model, raw_input_contents=[np.ones((1, 4)).tobytes()])
    request.inputs.add(name="predict", datatype="FP64", shape=(1, 4))
    began = time.perf_counter()
    answer = await client.infer(request)
    return {"whole": (time.perf_counter() - began) * 1e3, **answer.timings_ms}


def _tell(rows: Sequence[dict[str, float]]) -> None:
    overheads = [row["whole"] - sum(row[step] for step in STEPS) for row in rows]
    spreads = {step: Spread.of([row[step] for row in rows]) for step in (*STEPS, "queue", "whole", "warm")}
    spreads["own overhead"] = Spread.of(overheads)
    print(f"{len(rows)} cold calls, milliseconds: median [least-most]")
    for name, spread in spreads.items():
        print(f"  {name:13} {spread.median:8.2f} [{spread.least:.2f}-{spread.most:.2f}]")
    figures = {f"{step}_ms": round(spreads[step].median, 3) for step in STEPS}
    harness.report("coldstart", figures | {"own_overhead_ms": round(spreads["own overhead"].median, 3)})


if __name__ == "__main__":
    main()
