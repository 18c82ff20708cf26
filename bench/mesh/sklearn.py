"""The headline with real models: small ones of scikit-learn, from local files, in the in-house runtime."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapter.domain.records import ModelInfo
from bench.mesh.clients import Asking, Registered, Registering, Verdict, ask, register
from bench.mesh.stage import Stage
from tests.integration.examples import constant_model, dumped

FILES: Final = 50
COLUMNS: Final = 4
"""That the models take."""
AT_ONCE: Final = 16
CONTAINER_BYTES: Final = 1 << 40
"""None is evicted, whatever is told of its size."""
KEY: Final = {"model_type": {"name": "sklearn"}, "storage_params": {"type": "local"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class RealModels:
    """What came of it."""

    registered: Registered
    runs: Sequence[Verdict]
    bytes_per_model: float
    """What the memory of the runtime grew by."""
    instance_bytes_per_model: float

    @property
    def failed(self) -> int:
        return sum(self.registered.failed.values()) + sum(run.failed for run in self.runs)


def measure(stage: Stage) -> RealModels:
    """An instance before the in-house runtime. Raises `Broken`."""
    place = stage.place()
    files, area = place.folder / "files", place.folder / "models" / "_python_models"
    keys = place.folder / "storage-config"
    for folder in (files, area, keys):
        folder.mkdir(parents=True)
    make_files(files)
    with stage.registry() as registry, stage.python_runtime(area) as (port, runtime):
        env = {
            "REMESH_RUNTIME": "python",
            "RUNTIME_PORT": str(port),
            "CONTAINER_MEM_REQ_BYTES": str(CONTAINER_BYTES),
            "STORAGE_CONFIG_DIR": str(keys),
            "REMESH_LOCAL_FILES_DIR": str(files),
            "LOADING_CONCURRENCY": "4",
        }
        with stage.instance(place, registry=registry, runtime_port=port, env=env) as instance:
            info = ModelInfo(type="sklearn", path="{}.joblib", key=json.dumps(KEY))
            # With the first, the library is imported.
            register([instance.address], Registering(models=1, info=info, files=FILES))
            before = runtime.resident_bytes(), instance.process.resident_bytes()
            models = stage.options.amounts.sklearn_models
            registered = register(
                [instance.address],
                Registering(models=models, first=1, at_once=AT_ONCE, info=info, files=FILES),
            )
            _tell(registered)
            after = runtime.resident_bytes(), instance.process.resident_bytes()
            asking = Asking(
                models=models,
                rate=stage.options.rate,
                seconds=stage.options.amounts.seconds,
                columns=COLUMNS,
                files=FILES,
            )
            runs = [ask([instance.address], asking) for _ in range(stage.options.amounts.runs)]
    for run in runs:
        print(f"  {run.described}", flush=True)
    grown = [(now - then) / models for then, now in zip(before, after, strict=True)]
    return RealModels(
        registered=registered, runs=runs, bytes_per_model=grown[0], instance_bytes_per_model=grown[1]
    )


def make_files(folder: Path) -> None:
    """Each model always answers the number of its file, so that a wrong one is noticed."""
    for number in range(FILES):
        (folder / f"{number}.joblib").write_bytes(dumped(constant_model(number)))


def _tell(registered: Registered) -> None:
    print(
        f"{registered.models} scikit-learn models registered and loaded in {registered.seconds:.1f} s, "
        f"{registered.models_per_s:.0f}/s; failed: {registered.failed or 0}",
        flush=True,
    )
    for example in registered.examples:
        print(f"  {example}")
