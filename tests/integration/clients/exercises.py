"""What every gRPC client does once, and what must come of it.

A client is a program of its own. It is told `name=value` (see `arguments`), and prints `name=value` for each
thing that it got: a message, some metadata, the number of a status. What the runtime saw is asked of it.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.integration.clients.meshes import Door, EchoRuntime
from tests.integration.conftest import tool
from tests.integration.echo_runtime import Plan
from tests.tools import grpc_java, grpc_js

ROOT = Path(__file__).resolve().parents[3]
CLIENT_S_MAX = 60.0
SEEN_S_MAX = 10.0

LARGE_BYTES = 3_000_000
DEADLINE_MS = 400
STATUS_DETAILS = "0809120b6e6f74207965743a20c3bc"

PLANS = {
    "unary": Plan(initial=[("initial", "early")], trailing=[("trailing-bin", "00ff80")]),
    "server_stream": Plan(responses=3),
    "error": Plan(
        code=9, details="not yet: \u00fc %", trailing=[("grpc-status-details-bin", STATUS_DETAILS)]
    ),
    "deadline": Plan(delay_ms=30_000),
    "cancel": Plan(linger_ms=30_000),
}
EXPECTED = {
    "unary": "hello",
    "unary.initial": "early",
    "unary.trailing": "00ff80",
    "client_stream": "abc",
    "server_stream": "x,x,x",
    "bidi": "one,two,three,0",
    "large": "same",
    "error": "9",
    "error.details": "not yet: \u00fc %",
    "error.status": STATUS_DETAILS,
    "deadline": "4",
    "cancel": "1",
}
SAID_BY_TRITON = {
    "grpc": {
        "live": "True",
        "ready": "True",
        "model.ready": "True",
        "unknown": "StatusCode.NOT_FOUND",
        **dict.fromkeys(("infer", "infer.gzip", "infer.deflate", "aio.infer"), "same"),
        **{f"stream.{number}": "same" for number in range(3)},
    },
    "http": {
        "live": "True",
        "ready": "True",
        "model.ready": "True",
        "unknown": "404",
        "aio.infer": "same",
        **dict.fromkeys(("infer.binary", "infer.json-out", "infer.json-in"), "same"),
        **dict.fromkeys(("infer.gzip", "infer.deflate"), "same"),
        "infer.json": "[[1.5, -2.0, 3.25]]",
    },
}


def arguments(door: Door, run: str) -> dict[str, str]:
    """What a client is told."""
    told = {"target": door.target, "model": door.model, "run": run}
    told |= {"large": str(LARGE_BYTES), "deadline_ms": str(DEADLINE_MS)}
    told |= {"rest_port": str(door.rest_port)} | {name: str(path) for name, path in door.files.items()}
    return told | {f"plan.{name}": str(plan) for name, plan in PLANS.items()}


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", f"tests.integration.clients.{module}"]


def _node() -> list[str]:
    packages = f"NODE_PATH={tool(grpc_js.RECIPE)}"
    return ["env", packages, "node", str(Path(__file__).parent / "js" / "exercises.js")]


def _java() -> list[str]:
    built = tool(grpc_java.RECIPE)
    # It lives for a second: the quick compiler alone is quicker.
    quick = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")
    return [
        shutil.which("java") or "java",
        *quick,
        "-cp",
        f"{built}/classes:{built}/libraries/*",
        "Exercises",
    ]


CLIENTS: Mapping[str, Callable[[], list[str]]] = {
    "grpcio": lambda: _python("grpcio_sync"),
    "grpcio aio": lambda: _python("grpcio_aio"),
    "grpc-js": _node,
    "grpc-java": _java,
}


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a client printed, by name."""

    run: str
    got: Mapping[str, str]


def run(client: str, door: Door) -> Said:
    """Have the client do it all."""
    run = f"{client.replace(' ', '-')}-{door.name}-"
    return Said(run=run, got=said_by(CLIENTS[client](), arguments(door, run)))


def triton(door: Door, protocol: str) -> dict[str, str]:
    """What Triton's clients of this protocol say."""
    return said_by(_python("triton_exercises"), arguments(door, "") | {"protocol": protocol})


def said_by(command: list[str], told: Mapping[str, str]) -> dict[str, str]:
    """What the program prints, by name; its complaints are the failure."""
    pairs = [f"{key}={value}" for key, value in told.items()]
    said = output_of(*command, *pairs)
    return {key: value for key, _, value in (line.partition("=") for line in said.splitlines())}


def output_of(*command: str | Path, stdin: bytes = b"") -> str:
    """Run it to its end, which must be a success."""
    done = finished(*command, stdin=stdin)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def finished(
    *command: str | Path, stdin: bytes = b"", s_max: float = CLIENT_S_MAX
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, whatever that is."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=ROOT, input=stdin, capture_output=True, timeout=s_max, check=False)
    said = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(words, done.returncode, *said)


def assert_the_runtime_saw(runtime: EchoRuntime, said: Said) -> None:
    """That deadline and cancellation came through to it, and the metadata."""
    late = runtime.seen(f"{said.run}deadline")
    assert late.remaining_s is not None
    assert 0 < late.remaining_s <= DEADLINE_MS / 1e3 + 0.05
    assert late.outcome == "cancelled"
    cancelled = runtime.seen(f"{said.run}cancel")
    assert (cancelled.sizes, cancelled.outcome) == ([3], "cancelled")
    assert runtime.seen(f"{said.run}large").sizes == [LARGE_BYTES]
    assert runtime.seen(f"{said.run}client_stream").sizes == [1, 1, 1]
