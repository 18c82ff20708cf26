"""An echo runtime, instances before it, and the doors where clients come in: TCP, TLS, mTLS, a unix socket.

With `REMESH_TEST_DIRECT=1` the doors are the runtime's own, which tells whose fault a failure is.
"""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from adapter.stubs.mmesh import model_mesh_pb2 as mm
from adapter.stubs.mmesh.model_mesh_pb2_grpc import ModelMeshStub
from tests.integration import mesh
from tests.integration.certificates import PASSPHRASE, Certificates
from tests.integration.echo_runtime import SERVICE, Seen, Stage

DOORS = ("tcp", "tls", "mtls", "unix")
MODEL = "echo"
SEEN_S_MAX = 10.0
START_S_MAX = 60.0
DIRECT = os.environ.get("REMESH_TEST_DIRECT") == "1"


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where a client comes in, and what it must have to."""

    name: str
    target: str
    """`127.0.0.1:port` or `unix:path`."""
    process: mesh.Process
    files: Mapping[str, Path] = field(default_factory=dict)
    """`ca`, and with mTLS `cert` and `key`."""
    rest_port: int = 0
    """Of the same instance, with the same TLS; 0: there is none."""
    model: str = MODEL

    @property
    def port(self) -> int:
        return int(self.target.rpartition(":")[2])

    @property
    def scheme(self) -> str:
        return "https" if self.files else "http"

    def channel(self) -> grpc.Channel:
        if not self.files:
            return grpc.insecure_channel(self.target, [("grpc.default_authority", "localhost")])
        ca, key, chain = (
            self.files[name].read_bytes() if name in self.files else None for name in ("ca", "key", "cert")
        )
        return grpc.secure_channel(self.target, grpc.ssl_channel_credentials(ca, key, chain))

    @property
    def resident_bytes(self) -> int:
        """Memory of the process behind it."""
        pages = Path(f"/proc/{self.process.child.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True)
class EchoRuntime:
    """A running `tests.integration.echo_runtime`."""

    process: mesh.Process
    doors: Mapping[str, Door]
    control: grpc.Channel

    @property
    def port(self) -> int:
        return self.doors["tcp"].port

    def seen(self, call: str, stage: Stage = "ended") -> Seen:
        """What it saw of the call with this `echo-call`, once that has come so far."""
        found = self._ask(call=call, stage=stage, wait_s_max=SEEN_S_MAX)
        assert found, f"the runtime has not seen {call}"
        return Seen(**found)

    def counts(self) -> Counter[str]:
        """Calls so far, by method and by outcome."""
        return Counter(self._ask())

    def _ask(self, **fields: object) -> Any:
        ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self.control.unary_unary(f"/{SERVICE}/Seen")
        return json.loads(ask(json.dumps(fields).encode(), timeout=SEEN_S_MAX * 2))


@contextmanager
def echo_runtime(folder: Path, certificates: Certificates, *arguments: str) -> Iterator[EchoRuntime]:
    """Serves on all doors; its output is below `folder`."""
    ports = [mesh.free_port() for _ in range(3)]
    targets = [*(f"127.0.0.1:{port}" for port in ports), f"unix:{folder / 'echo.sock'}"]
    tcp, tls, mtls, unix = targets
    listening = ("--listen", tcp, "--listen", unix, "--tls", tls, "--mtls", mtls)
    module = (sys.executable, "-m", "tests.integration.echo_runtime")
    command = [*module, *listening, "--certificates", str(certificates.folder), *arguments]
    with mesh.started(command, output=folder / "runtime.log") as process:
        mesh.wait_until_serving(ports[0], process)
        doors = {
            name: Door(name=name, target=target, process=process, files=_files(name, certificates))
            for name, target in zip(DOORS, targets, strict=True)
        }
        with doors["tcp"].channel() as control:
            yield EchoRuntime(process=process, doors=doors, control=control)


def _files(door: str, certificates: Certificates) -> dict[str, Path]:
    files = {"ca": certificates.authority} if door in {"tls", "mtls"} else {}
    if door == "mtls":
        files |= {"cert": certificates.client("caller"), "key": certificates.client_key("caller")}
    return files


def _security(door: str, certificates: Certificates) -> dict[str, str]:
    """The settings of an instance with this door; ModelMesh's names (reference: ModelMesh core 5.5)."""
    told = {"MM_TLS_KEY_CERT_PATH": str(certificates.server)}
    if door == "tls":
        return told | {"MM_TLS_PRIVATE_KEY_PATH": str(certificates.server_key)}
    if door == "mtls":
        return told | {
            "MM_TLS_PRIVATE_KEY_PATH": str(certificates.encrypted_server_key),
            "MM_TLS_PRIVATE_KEY_PASSPHRASE": PASSPHRASE,
            "MM_TLS_CLIENT_AUTH": "REQUIRE",
            "MM_TLS_TRUST_CERT_PATH": str(certificates.authority),
        }
    return {}


@contextmanager
def relay(
    folder: Path, runtime: EchoRuntime, certificates: Certificates, *, door: str = "tcp", **env: str
) -> Iterator[Door]:
    """An instance with this door, before this runtime, the model registered and loaded.

    With `REMESH_TEST_DIRECT=1` it is the runtime's own door.
    """
    if DIRECT:
        yield runtime.doors[door]
        return
    folder.mkdir(parents=True, exist_ok=True)
    port, rest_port, socket = mesh.free_port(), mesh.free_port(), folder / "grpc.sock"
    settings = {
        "MM_SERVICE_NAME": "test",
        "MM_SVC_GRPC_PORT": str(port),
        "REST_PROXY_LISTEN_PORT": str(rest_port),
        "REMESH_GRPC_SOCKET_PATH": str(socket),
        "REMESH_HOST": "127.0.0.1",
        "REMESH_RUNTIME": "model-runtime",
        "INTERNAL_GRPC_PORT": str(runtime.port),
        "ROOT_MODEL_DIR": str(folder / "models"),
        "STORAGE_CONFIG_DIR": str(folder / "storage-config"),
        "REMESH_DATA_DIR": str(folder / "state"),
    }
    command = [sys.executable, "-m", "adapter", "instance"]
    security = _security(door, certificates)
    with mesh.started(command, output=folder / "instance.log", env=settings | security | env) as process:
        target = f"unix:{socket}" if door == "unix" else f"127.0.0.1:{port}"
        files = _files(door, certificates)
        made = Door(name=door, target=target, process=process, files=files, rest_port=rest_port)
        _wait_until_serving(made)
        register(made)
        yield made


def _wait_until_serving(door: Door) -> None:
    """If the process ends instead, its output is the failure."""
    ends_s = time.monotonic() + START_S_MAX
    with door.channel() as channel:
        ready = grpc.channel_ready_future(channel)
        while time.monotonic() < ends_s:
            assert door.process.child.poll() is None, f"it ended:\n{door.process.said}"
            try:
                ready.result(timeout=0.5)
            except grpc.FutureTimeoutError:
                continue
            return
    raise AssertionError(f"nothing serves at {door.target}:\n{door.process.said}")


def register(door: Door, model: str = MODEL) -> None:
    """Register the model with the instance behind the door, and have it loaded."""
    if DIRECT:
        return
    info = mm.ModelInfo(type="rt:echo", path="anywhere")
    request = mm.RegisterModelRequest(modelId=model, modelInfo=info, loadNow=True, sync=True)
    with door.channel() as channel:
        told = ModelMeshStub(channel).registerModel(request, timeout=START_S_MAX)
    assert told.status == mm.ModelStatusInfo.LOADED, told
