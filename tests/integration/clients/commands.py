"""Programs of others that call a door: grpcurl, ghz, h2load, curl."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapter.stubs.inference import open_inference_pb2 as v2
from tests.integration.clients.exercises import ROOT, output_of
from tests.integration.clients.meshes import Door
from tests.integration.conftest import tool
from tests.integration.echo_runtime import INFER
from tests.tools import curl as curl_recipe
from tests.tools import ghz as ghz_recipe
from tests.tools import grpcurl as grpcurl_recipe
from tests.tools import h2load as h2load_recipe

ECHO_PROTO = ("-import-path", str(Path(__file__).parent), "-proto", "echo.proto")
V2_PROTO = ROOT / "protos" / "inference" / "open_inference.proto"


def grpcurl(door: Door, *asked: str, options: Sequence[str] = (), data: str = "") -> str:
    """What it prints; `data` are its messages as JSON."""
    words = ["-plaintext"] if not door.files else ["-cacert", str(door.files["ca"])]
    for option, name in (("-cert", "cert"), ("-key", "key")):
        words += [option, str(door.files[name])] if name in door.files else []
    words += ["-unix"] if door.name == "unix" else []
    words += ["-d", "@"] if data else []
    words += [*options, door.target.removeprefix("unix:"), *asked]
    return output_of(tool(grpcurl_recipe.RECIPE), *words, stdin=data.encode())


def ghz(door: Door, *arguments: str, calls: int, in_flight: int) -> Any:
    """Its report."""
    words = ["--insecure"] if not door.files else ["--cacert", str(door.files["ca"])]
    for name in ("cert", "key"):
        words += [f"--{name}", str(door.files[name])] if name in door.files else []
    load = ("--total", calls, "--concurrency", in_flight, "--connections", 4)
    words += [*map(str, load), "--format", "json"]
    return json.loads(output_of(tool(ghz_recipe.RECIPE), *words, *arguments, door.target))


def url(door: Door, path: str) -> str:
    authority = "localhost" if door.name == "unix" else f"localhost:{door.port}"
    return f"{door.scheme}://{authority}{path}"


def curl(door: Door, *arguments: str | Path, stdin: bytes = b"") -> str:
    """Headers, body and trailers, as it prints them."""
    words: list[str | Path] = ["--silent", "--show-error", "--max-time", "20", "--include"]
    if door.name == "unix":
        words += ["--unix-socket", door.target.removeprefix("unix:")]
    for option, name in (("--cacert", "ca"), ("--cert", "cert"), ("--key", "key")):
        words += [option, door.files[name]] if name in door.files else []
    return output_of(tool(curl_recipe.RECIPE), *words, *arguments, stdin=stdin)


def http2(door: Door) -> str:
    """How curl is told to speak HTTP/2: known before, or agreed upon in TLS."""
    return "--http2" if door.files else "--http2-prior-knowledge"


def h2load(door: Door, body: Path, *, calls: int) -> str:
    """Loads `ModelInfer` with the framed message of this file; what it prints."""
    words: list[str | Path] = ["-n", str(calls), "-c", "4", "-m", "16", "-d", body]
    words += ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    if door.name == "unix":
        words += [f"--base-uri={door.target}"]
    return output_of(tool(h2load_recipe.RECIPE), *words, url(door, f"/{INFER}"))


def framed(message: bytes) -> bytes:
    """A message as gRPC sends it."""
    return b"\x00" + len(message).to_bytes(4, "big") + message


def infer_request(door: Door) -> v2.ModelInferRequest:
    request = v2.ModelInferRequest(model_name=door.model, id="7")
    request.inputs.add(name="x", datatype="FP32", shape=[2]).contents.fp32_contents.extend([1.5, -2])
    return request
