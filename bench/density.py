"""How much memory and CPU a small model costs in the in-house runtime.

Small scikit-learn models (LogisticRegression, 4 columns, 3 classes) and the same as ONNX, each in a folder as
the adapter lays it out, are loaded by the real load call. The base is the process after one model of the
library, so the library itself is not counted; everything else is: names, records, what the allocators lose.

Figures: `bytes_per_model`, `load_cpu_ms` (CPU of the runtime's process), `onnx_bytes_per_model`, `threads`
(of the process when all are loaded). Beside them: threads and open files that came with the models (0 is
right), what the runtime itself measured, and what stays of each model's memory after its unload.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import grpc
import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from adapter.stubs.inference import open_inference_pb2 as pb
from bench.harness import Process, aio_method, arguments, free_port, python_runtime, report

DISTINCT_FILES = 50
CALLERS = 4

IMPLEMENTATIONS = {"sklearn": "mlserver_sklearn.SKLearnModel", "onnx": "python_runtime.onnx"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a number of models of one format cost."""

    bytes_per_model: float
    told_per_model: float
    load_cpu_ms: float
    load_ms: float
    threads: int
    threads_grown: int
    files_grown: int
    kept_per_model: float
    """What is still there of each after all are unloaded."""

    @property
    def described(self) -> str:
        return (
            f"{self.bytes_per_model:.0f} bytes each, {self.load_cpu_ms:.3f} ms of CPU a load, "
            f"{self.threads} threads ({self.threads_grown:+d}), open files {self.files_grown:+d}"
        )


def make_files(folder: Path) -> dict[str, list[Path]]:
    """Some different models in each format."""
    from skl2onnx import to_onnx

    rows, classes = load_iris(return_X_y=True)
    paths: dict[str, list[Path]] = {"sklearn": [], "onnx": []}
    for number in range(DISTINCT_FILES):
        model = LogisticRegression(C=0.1 + number / DISTINCT_FILES, max_iter=500).fit(rows, classes)
        path = folder / f"{number}.joblib"
        joblib.dump(model, path)
        paths["sklearn"].append(path)
        path = path.with_suffix(".onnx")
        path.write_bytes(
            to_onnx(model, rows[:1].astype("float32"), options={"zipmap": False}).SerializeToString()
        )
        paths["onnx"].append(path)
    return paths


def lay_out(models_dir: Path, flavour: str, files: list[Path], count: int) -> list[str]:
    """One folder for each model: settings, and a link to the file."""
    names = [f"{flavour}-model-{number:06d}" for number in range(count)]
    for number, name in enumerate(names):
        folder, file = models_dir / name, files[number % len(files)]
        folder.mkdir()
        link = folder / file.name
        link.symlink_to(file)
        settings = {
            "name": name,
            "implementation": IMPLEMENTATIONS[flavour],
            "parameters": {"uri": str(link)},
        }
        (folder / "model-settings.json").write_text(json.dumps(settings))
    return names


async def call_all(port: int, deed: str, names: Iterable[str]) -> list[int]:
    """Load or unload, a few at a time; the sizes that the runtime told."""
    sizes: list[int] = []
    waiting = iter(names)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = aio_method(channel, f"RepositoryModel{deed}")

        async def caller() -> None:
            for name in waiting:
                answer = call(pb.RepositoryModelLoadRequest(model_name=name).SerializeToString())
                await answer
                sizes.extend(int(value) for key, value in await answer.trailing_metadata() if "size" in key)

        await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return sizes


async def warm_up(port: int) -> None:
    """Have the threads started that so many callers want, and whatever else comes with the first calls."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = aio_method(channel, "ServerReady")
        for _ in range(50):
            await asyncio.gather(*(call(b"") for _ in range(2 * CALLERS)))


def measure(process: Process, port: int, names: list[str]) -> Loaded:
    """Load the first model, then measure all the others; unload all."""
    asyncio.run(warm_up(port))
    asyncio.run(call_all(port, "Load", names[:1]))
    others = names[1:]
    base_bytes, threads, files = process.resident_bytes(), process.threads(), process.open_files()
    cpu_s, started_s = process.cpu_s(), time.perf_counter()
    told = asyncio.run(call_all(port, "Load", others))
    cpu_s, took_s = process.cpu_s() - cpu_s, time.perf_counter() - started_s
    full_bytes, full_threads, full_files = process.resident_bytes(), process.threads(), process.open_files()
    asyncio.run(call_all(port, "Unload", names))
    return Loaded(
        bytes_per_model=(full_bytes - base_bytes) / len(others),
        told_per_model=sum(told) / len(told),
        load_cpu_ms=cpu_s / len(others) * 1000,
        load_ms=took_s / len(others) * 1000,
        threads=full_threads,
        threads_grown=full_threads - threads,
        files_grown=full_files - files,
        kept_per_model=(process.resident_bytes() - base_bytes) / len(others),
    )


def run(*, sklearn_models: int, onnx_models: int) -> dict[str, object]:
    """The figures."""
    results: dict[str, Loaded] = {}
    with tempfile.TemporaryDirectory(prefix="remesh-density-") as folder:
        models_dir, files_dir = Path(folder, "models"), Path(folder, "files")
        models_dir.mkdir()
        files_dir.mkdir()
        files = make_files(files_dir)
        for flavour, count in (("sklearn", sklearn_models), ("onnx", onnx_models)):
            port = free_port()
            names = lay_out(models_dir, flavour, files[flavour], count)
            with python_runtime(models_dir, port=port) as process:
                results[flavour] = measured = measure(process, port, names)
            print(f"{count} {flavour} models: {measured.described}", flush=True)
    sklearn, onnx = results["sklearn"], results["onnx"]
    return {
        "bytes_per_model": round(sklearn.bytes_per_model),
        "load_cpu_ms": round(sklearn.load_cpu_ms, 3),
        "onnx_bytes_per_model": round(onnx.bytes_per_model),
        "threads": sklearn.threads,
        "threads_grown": sklearn.threads_grown + onnx.threads_grown,
        "open_files_grown": sklearn.files_grown + onnx.files_grown,
        "told_bytes_per_model": round(sklearn.told_per_model),
        "onnx_told_bytes_per_model": round(onnx.told_per_model),
        "onnx_load_cpu_ms": round(onnx.load_cpu_ms, 3),
        "kept_bytes_per_model": round(sklearn.kept_per_model),
        "onnx_kept_bytes_per_model": round(onnx.kept_per_model),
        "models": sklearn_models,
        "onnx_models": onnx_models,
    }


if __name__ == "__main__":
    quick = arguments(__doc__).quick
    report(
        "density",
        run(sklearn_models=4000 if quick else 20_000, onnx_models=400 if quick else 2000),
    )
