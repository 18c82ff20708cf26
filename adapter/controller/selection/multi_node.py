"""What a runtime's `workerSpec` may say (reference: KServe 1.8). It is checked here, and never run."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from adapter.controller.manifests.complaints import Complaint
from adapter.domain.kinds import Manifest

MAIN: Final = "kserve-container"
WORKER: Final = "worker-container"

_SIZES: Final = ("pipelineParallelSize", "tensorParallelSize")
_SIZE_MIN: Final = 1
_ENV_OF_OURS: Final = ("PIPELINE_PARALLEL_SIZE", "TENSOR_PARALLEL_SIZE")
_ENV_BLOCKED: Final = ("PYTHONPATH", "LD_PRELOAD")
"""They would replace what the image's own programs load; KServe names the first."""

_GPU_RESOURCES: Final = ("nvidia.com/gpu", "amd.com/gpu", "intel.com/gpu", "habana.ai/gaudi")
_OTHER_RESOURCES: Final = ("cpu", "memory", "storage", "ephemeral-storage")
_OTHER_PREFIXES: Final = ("hugepages-",)


def multi_node_complaints(manifest: Manifest, old: Manifest | None = None) -> tuple[Complaint, ...]:
    """What is wrong with a runtime that is made, or changed from `old`; a disabled one may say anything.

    What is not of the kind that it should be is for others to complain of, and passed over here.
    """
    spec, before = _mapping(manifest.get("spec")), _mapping((old or {}).get("spec"))
    if spec.get("disabled") is True:
        return ()
    return tuple(_complaints(spec, before))


def _complaints(spec: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Complaint]:
    if spec.get("workerSpec") is None:
        if before.get("workerSpec") is not None:
            yield Complaint(
                field="spec.workerSpec",
                text="removing workerSpec where it already exists is not allowed; make a new one",
            )
        return
    worker = _mapping(spec["workerSpec"])
    yield from _sizes(worker)
    containers = _mappings(worker.get("containers"))
    if len(containers) > 1:
        yield Complaint(
            field="spec.workerSpec.containers",
            text=f"setting multiple containers in workerSpec is not allowed; keep {WORKER}",
        )
    for index, container in enumerate(_mappings(spec.get("containers"))):
        if container.get("name") == MAIN:
            yield from _env(container, f"spec.containers[{index}]", refused=_ENV_OF_OURS + _ENV_BLOCKED)
            yield from _resources(container, f"spec.containers[{index}]")
    for index, container in enumerate(containers):
        yield from _env(container, f"spec.workerSpec.containers[{index}]", refused=_ENV_BLOCKED)
        yield from _resources(container, f"spec.workerSpec.containers[{index}]")


def _sizes(worker: Mapping[str, Any]) -> Iterator[Complaint]:
    for name in _SIZES:
        size = worker.get(name)
        if isinstance(size, int) and size < _SIZE_MIN:
            yield Complaint(
                field=f"spec.workerSpec.{name}", text=f"cannot be less than {_SIZE_MIN}, and is {size}"
            )


def _env(container: Mapping[str, Any], field: str, *, refused: tuple[str, ...]) -> Iterator[Complaint]:
    for index, variable in enumerate(_mappings(container.get("env"))):
        name = variable.get("name")
        if name in refused:
            cure = f"set spec.workerSpec.{_size_of(str(name))}" if name in _ENV_OF_OURS else "take it out"
            yield Complaint(
                field=f"{field}.env[{index}]",
                text=f"setting {name} in environment variables is not allowed; {cure}",
            )


def _size_of(variable: str) -> str:
    return _SIZES[_ENV_OF_OURS.index(variable)]


def _resources(container: Mapping[str, Any], field: str) -> Iterator[Complaint]:
    resources = _mapping(container.get("resources"))
    for part in ("limits", "requests"):
        for name in _mapping(resources.get(part)):
            if name not in _GPU_RESOURCES + _OTHER_RESOURCES and not str(name).startswith(_OTHER_PREFIXES):
                yield Complaint(
                    field=f"{field}.resources.{part}",
                    text=f"unknown GPU resource type {name}; known are {', '.join(_GPU_RESOURCES)}",
                )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [_mapping(each) for each in value] if isinstance(value, list) else []
