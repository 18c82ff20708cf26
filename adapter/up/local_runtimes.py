"""What of a declared runtime can run on this machine without a container engine, and how.

Three kinds can: the in-house runtime (server type `python`, or an image of ours), MLServer if it is there,
and servers with ModelMesh's runtime SPI whose command is a program of this machine.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final, Literal

from adapter.controller.manifests.complaints import BadManifest
from adapter.controller.manifests.runtimes import read_runtime
from adapter.controller.quantities import quantity
from adapter.domain.errors import Refused
from adapter.domain.kinds import CLUSTER_SERVING_RUNTIME, SERVING_RUNTIME, Manifest
from adapter.domain.specs import Endpoint, RuntimeSpec

Finder = Callable[[str], str | None]
"""Where a program of this name is; None: it is not on this machine."""
ServerKind = Literal["python", "mlserver", "model-runtime"]

DISABLED_BECAUSE: Final = "remesh.io/disabled-because"
"""The annotation of a runtime that counts as disabled on this machine."""
MLSERVER: Final = "mlserver"
_OURS: Final = "remesh"
_MLSERVER_OURS: Final = frozenset(
    {
        *("MLSERVER_MODELS_DIR", "MLSERVER_HOST", "MLSERVER_GRPC_PORT", "MLSERVER_HTTP_PORT"),
        *("MLSERVER_METRICS_PORT", "MLSERVER_MODEL_NAME", "MLSERVER_MODEL_URI"),
        "MLSERVER_LOAD_MODELS_AT_STARTUP",
    }
)
"""What is chosen here, whatever a container says."""
_FIELDS: Final[Mapping[str, str]] = {"status.podIP": "127.0.0.1", "status.hostIP": "127.0.0.1"}
_REFERENCE: Final = re.compile(r"\$(\$|\(([^()]+)\))")


class NotHere(Refused):
    """This machine cannot run it; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One container, as a process."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """How one instance and its runtime run; equal ones need no restart."""

    kind: ServerKind
    children: tuple[Child, ...] = ()
    """Of the runtime; empty: the in-house one."""
    endpoint: Endpoint | None = None
    """Where a server with the SPI answers."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What the instance is told."""

    @property
    def is_alone(self) -> bool:
        """Only one can run at a time: its address is fixed."""
        return self.kind == "model-runtime"


def blueprint(runtime: RuntimeSpec, find: Finder) -> Blueprint:
    """How it runs here. Raises `NotHere`."""
    if runtime.multi_node:
        raise NotHere("it spreads over several machines (spec.workerSpec)")
    kind = _kind(runtime)
    settings = dict(_settings(runtime, kind))
    if kind == "python":
        return Blueprint(kind=kind, settings=settings)
    if kind == MLSERVER:
        return Blueprint(kind=kind, children=(_mlserver(runtime, find),), settings=settings)
    if not runtime.multi_model or runtime.grpc_endpoint is None:
        raise NotHere("it serves one model a process, in a container; a mesh needs spec.multiModel: true")
    if not runtime.containers:
        raise NotHere("spec.containers: there is none")
    children = tuple(_child(container, runtime, find) for container in runtime.containers)
    return Blueprint(kind=kind, children=children, endpoint=runtime.grpc_endpoint, settings=settings)


def as_meant_here(manifest: Manifest, find: Finder) -> Manifest:
    """A declaration as this machine has it: a runtime that cannot run here counts as disabled."""
    kinds = {(kind.api_version, kind.name) for kind in (SERVING_RUNTIME, CLUSTER_SERVING_RUNTIME)}
    if (manifest.get("apiVersion"), manifest.get("kind")) not in kinds:
        return manifest
    try:
        runtime = read_runtime(manifest)
        if not runtime.disabled:
            blueprint(runtime, find)
    except BadManifest:
        return manifest  # whoever looks after it says what is wrong
    except NotHere as error:
        metadata = manifest["metadata"]
        annotations = {**(metadata.get("annotations") or {}), DISABLED_BECAUSE: f"on this machine: {error}"}
        return {
            **manifest,
            "metadata": {**metadata, "annotations": annotations},
            "spec": {**manifest["spec"], "disabled": True},
        }
    return manifest


def _kind(runtime: RuntimeSpec) -> ServerKind:
    """Raises `NotHere` for a server type that only ModelMesh's adapters drive."""
    if runtime.adapter is not None:
        match runtime.adapter.server_type:
            case "python":
                return "python"
            case "mlserver":
                return MLSERVER
            case other:
                raise NotHere(f"the server type {other} runs in containers only")
    images = [_image(container) for container in runtime.containers]
    if any(image.startswith(_OURS) for image in images):
        return "python"
    if MLSERVER in images:
        return MLSERVER
    return "model-runtime"


def _image(container: Manifest) -> str:
    """`seldonio/mlserver:1.7.1` is `mlserver`."""
    name = PurePosixPath(str(container.get("image") or "")).name
    return re.split(r"[:@]", name)[0]


def _mlserver(runtime: RuntimeSpec, find: Finder) -> Child:
    program = find(MLSERVER)
    if program is None:
        raise NotHere(
            "mlserver is not installed (pip install mlserver mlserver-sklearn, in a folder of PATH)"
        )
    container = _server_container(runtime)
    told = {
        name: value
        for name, value in _env(container, runtime)
        if name not in _MLSERVER_OURS and "{{" not in value
    }
    return Child(name=MLSERVER, command=(program, "start"), env={"MLSERVER_PARALLEL_WORKERS": "0", **told})


def _child(container: Manifest, runtime: RuntimeSpec, find: Finder) -> Child:
    name = str(container.get("name") or "")
    env = dict(_env(container, runtime))
    command, args = (
        [_expanded(str(word), env) for word in container.get(part) or ()] for part in ("command", "args")
    )
    if not command:
        raise NotHere(
            f"its container {name} has no command, and nothing here runs the image {container.get('image')}"
        )
    program = find(command[0])
    if program is None:
        raise NotHere(f"its program {command[0]} is not on this machine (container {name})")
    folder = container.get("workingDir")
    moved = ("env", "-C", str(folder)) if folder else ()
    return Child(name=name, command=(*moved, program, *command[1:], *args), env=env)


def _env(container: Manifest, runtime: RuntimeSpec) -> Iterator[tuple[str, str]]:
    """Raises `NotHere` for what comes from where nothing is here."""
    told: dict[str, str] = {}
    for entry in container.get("env") or ():
        name, origin = str(entry.get("name") or ""), entry.get("valueFrom")
        value = _expanded(str(entry.get("value") or ""), told)
        if isinstance(origin, Mapping):
            value = _from_elsewhere(name, origin, container, runtime)
        told[name] = value
        yield name, value


def _from_elsewhere(name: str, origin: Mapping[str, Any], container: Manifest, runtime: RuntimeSpec) -> str:
    path = str((origin.get("fieldRef") or {}).get("fieldPath"))
    resource = (origin.get("resourceFieldRef") or {}).get("resource")
    if path == "metadata.name":
        return runtime.name
    if path in _FIELDS:
        return _FIELDS[path]
    if resource in ("requests.memory", "limits.memory") and (size := _memory_bytes(container)):
        return str(size)
    raise NotHere(f"env {name} of its container {container.get('name')} comes from what is only in a pod")


def _expanded(text: str, env: Mapping[str, str]) -> str:
    """`$(NAME)` as Kubernetes has it: the variable if there is one, else as it stands; `$$` is `$`."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[1] == "$" else env.get(match[2], match[0])

    return _REFERENCE.sub(value, text)


def _settings(runtime: RuntimeSpec, kind: ServerKind) -> Iterator[tuple[str, str]]:
    yield "REMESH_RUNTIME", kind
    told = runtime.identity.annotations
    for annotation, variable in (
        ("maxLoadingConcurrency", "LOADING_CONCURRENCY"),
        ("perModelConcurrencyLimit", "LIMIT_PER_MODEL_CONCURRENCY"),
    ):
        if annotation in told:
            yield variable, told[annotation]
    if kind == "model-runtime":
        yield from _endpoint(runtime.grpc_endpoint, "INTERNAL_GRPC")
        yield from _endpoint(runtime.grpc_data_endpoint, "INTERNAL_SERVING_GRPC")
        if runtime.storage_helper_disabled:
            # Without such a folder, paths and keys are passed on as they were registered.
            yield "STORAGE_CONFIG_DIR", "/nowhere"
    else:
        yield from _memory(runtime)
    if runtime.adapter is not None:
        if runtime.adapter.loading_timeout_ms is not None:
            yield "LOADTIME_TIMEOUT", str(runtime.adapter.loading_timeout_ms)
        for entry in runtime.adapter.env:
            if entry.get("value") is not None:
                yield str(entry["name"]), str(entry["value"])


def _memory(runtime: RuntimeSpec) -> Iterator[tuple[str, str]]:
    size_bytes = _memory_bytes(_server_container(runtime))
    if not size_bytes:
        return
    yield "CONTAINER_MEM_REQ_BYTES", str(size_bytes)
    told = runtime.adapter.buffer_bytes if runtime.adapter is not None else None
    yield "MEM_BUFFER_BYTES", str(size_bytes // 4 if told is None else min(told, size_bytes // 2))


def _memory_bytes(container: Manifest) -> int:
    resources = container.get("resources") or {}
    for part in ("requests", "limits"):
        told = (resources.get(part) or {}).get("memory")
        if told is not None:
            try:
                return int(quantity(str(told)))
            except ValueError:
                return 0
    return 0


def _server_container(runtime: RuntimeSpec) -> Manifest:
    wanted = runtime.adapter.server_type if runtime.adapter is not None else None
    named = [each for each in runtime.containers if each.get("name") == wanted]
    return next(iter([*named, *runtime.containers]), {})


def _endpoint(endpoint: Endpoint | None, prefix: str) -> Iterator[tuple[str, str]]:
    if endpoint is None:
        return
    if endpoint.port is not None:
        yield f"{prefix}_PORT", str(endpoint.port)
    else:
        yield f"{prefix}_SOCKET_PATH", str(endpoint.socket)
