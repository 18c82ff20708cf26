"""A runtime that answers as each call asks it to, and remembers what it saw of it.

It implements `mmesh.ModelRuntime` (every load succeeds), V2's `ModelInfer` and Triton's `ModelStreamInfer`,
which give back their inputs as outputs, and

    test.Echo/Unary           one message, given back
    test.Echo/ClientStream    many, given back as one
    test.Echo/ServerStream    one, given back `responses` times
    test.Echo/Bidi            many, each given back at once, `responses` times

Messages are bytes. How a call is answered stands in its metadata as JSON, `echo-plan`: the fields of `Plan`.
What a call with an `echo-call` was seen to be, `test.Echo/Seen` tells, once it has come as far as is asked.

    python -m tests.integration.echo_runtime --listen 127.0.0.1:8085 --listen unix:/tmp/echo.sock
"""

import argparse
import asyncio
import json
import signal
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

import grpc

from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.stubs.mmesh import model_runtime_pb2_grpc as spi_grpc
from tests.fakes.model_runtime_server import ExampleRuntime, _Inference, _methods, _ModelRuntime

SERVICE = "test.Echo"
INFER = "inference.GRPCInferenceService/ModelInfer"
STREAM_INFER = "inference.GRPCInferenceService/ModelStreamInfer"
KINDS = {f"{SERVICE}/{kind}": kind for kind in ("Unary", "ClientStream", "ServerStream", "Bidi")} | {
    INFER: "Unary",
    STREAM_INFER: "Bidi",
}
PLAN_KEY = "echo-plan"
CALL_KEY = "echo-call"
MESSAGE_BYTES_MAX = 64 << 20

CALLS_MAX: Final = 10_000
"""So many calls are remembered, the last ones."""

STREAMS_MAX: Final = 10_000

Pair = tuple[str, str | bytes]
Context = Any
Stage = Literal["began", "ended"]

COMPRESSIONS = {
    "gzip": grpc.Compression.Gzip,
    "deflate": grpc.Compression.Deflate,
    "identity": grpc.Compression.NoCompression,
}
CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one call is to be answered; the values of metadata ending in `-bin` are hexadecimal."""

    initial: Sequence[tuple[str, str]] = ()
    early: bool = False
    """The initial metadata go out at once, not with the first response."""
    trailing: Sequence[tuple[str, str]] = ()
    delay_ms: float = 0
    """Waited once, before the first response or the error."""
    responses: int = 1
    pause_ms: float = 0
    """Waited after each response."""
    linger_ms: float = 0
    """Waited before the end. (A cancelled call looks as if its client had sent all, for a moment.)"""
    size: int | None = None
    """Each response has so many bytes, instead of what was received."""
    compression: str | None = None
    code: int = 0
    details: str = ""
    fail_after: int = 0
    """With a `code`: it is the end after so many responses."""

    @classmethod
    def of(cls, metadata: Iterable[Pair]) -> "Plan":
        text = dict(metadata).get(PLAN_KEY)
        return cls(**json.loads(text)) if text else cls()

    def __str__(self) -> str:
        told = {name: value for name, value in asdict(self).items() if value != getattr(Plan(), name)}
        return json.dumps(told)


@dataclass(kw_only=True)
class Seen:
    """What the runtime saw of one call."""

    method: str
    metadata: list[tuple[str, str]]
    """The values of keys that end in `-bin` as hexadecimal."""
    remaining_s: float | None
    sizes: list[int] = field(default_factory=list)
    """Of the messages received."""
    stage: Stage = "began"
    outcome: str = ""
    """`answered` (whatever the code), `cancelled`, or the name of an exception."""


@dataclass
class Memory:
    """The last calls, by the id that they carry, and how many there were of each method."""

    calls: OrderedDict[str, Seen] = field(default_factory=OrderedDict)
    counts: Counter[str] = field(default_factory=Counter)
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def began(self, seen: Seen) -> None:
        self.counts[seen.method] += 1
        name = dict(seen.metadata).get(CALL_KEY)
        if name is None:
            return
        self.calls[name] = seen
        if len(self.calls) > CALLS_MAX:
            self.calls.popitem(last=False)
        async with self.moved:
            self.moved.notify_all()

    async def ended(self, seen: Seen, outcome: str) -> None:
        seen.stage, seen.outcome = "ended", outcome
        self.counts[outcome] += 1
        async with self.moved:
            self.moved.notify_all()

    async def wait(self, name: str, stage: Stage, wait_s_max: float) -> Seen | None:
        """The call, once it has come so far; else as far as it came, or None."""

        def is_there() -> bool:
            seen = self.calls.get(name)
            return seen is not None and stage in {"began", seen.stage}

        try:
            async with asyncio.timeout(wait_s_max), self.moved:
                await self.moved.wait_for(is_there)
        except TimeoutError:
            pass
        return self.calls.get(name)


class EchoHandler(grpc.GenericRpcHandler):
    """Answers `test.Echo` and `ModelInfer`, by the plan of each call."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        method = details.method.removeprefix("/")
        if method in KINDS:
            return grpc.stream_stream_rpc_method_handler(partial(self._answer, method))
        if method == f"{SERVICE}/Seen":
            return grpc.unary_unary_rpc_method_handler(self._tell)
        return None

    async def _tell(self, message: bytes, _context: Context) -> bytes:
        asked = json.loads(message)
        if "call" not in asked:
            return json.dumps(self._memory.counts).encode()
        seen = await self._memory.wait(asked["call"], asked["stage"], asked["wait_s_max"])
        return json.dumps(asdict(seen) if seen else None).encode()

    async def _answer(self, method: str, _requests: object, context: Context) -> None:
        metadata = tuple(context.invocation_metadata() or ())
        remaining_s = context.time_remaining()
        seen = Seen(method=method, metadata=_as_text(metadata), remaining_s=remaining_s)
        outcome = "answered"
        await self._memory.began(seen)
        try:
            await _Answering(Plan.of(metadata), seen, context).carry_out()
        except (asyncio.CancelledError, grpc.aio.InternalError):
            outcome = "cancelled"  # the other error is what a write says that was under way
            raise
        except Exception as error:
            outcome = repr(error)
            raise
        finally:
            # What is told must be told even when the call's own task is being cancelled.
            await asyncio.shield(self._memory.ended(seen, outcome))


class _Answering:
    """One call, answered by its plan."""

    def __init__(self, plan: Plan, seen: Seen, context: Context) -> None:
        self._plan = plan
        self._seen = seen
        self._context = context
        self._sent = 0

    async def carry_out(self) -> None:
        plan, context = self._plan, self._context
        if plan.compression:
            context.set_compression(COMPRESSIONS[plan.compression])
        if plan.early:
            await context.send_initial_metadata(_as_pairs(plan.initial))
        context.set_trailing_metadata(_as_pairs(plan.trailing))
        await self._respond(KINDS[self._seen.method])
        await asyncio.sleep(plan.linger_ms / 1e3)
        if plan.initial and not (plan.early or self._sent):
            await context.send_initial_metadata(_as_pairs(plan.initial))
        context.set_code(CODES[plan.code])
        context.set_details(plan.details)

    async def _respond(self, kind: str) -> None:
        """Each response that the plan wants, until it wants the error."""
        if kind == "Bidi":
            await asyncio.sleep(self._plan.delay_ms / 1e3)
            while (message := await self._next()) is not None:
                if not await self._send(_reply(self._seen.method, message), self._plan.responses):
                    return
            return
        message = await self._next()
        if kind == "ClientStream":
            while (more := await self._next()) is not None:
                message = (message or b"") + more
        await asyncio.sleep(self._plan.delay_ms / 1e3)
        times = self._plan.responses if kind == "ServerStream" else 1
        await self._send(_reply(self._seen.method, message), times)

    async def _next(self) -> bytes | None:
        message: object = await self._context.read()
        if not isinstance(message, bytes):
            return None
        self._seen.sizes.append(len(message))
        return message

    async def _send(self, message: bytes, times: int) -> bool:
        """Whether all were sent; not, if the plan wants the error before."""
        plan = self._plan
        if plan.size is not None:
            message = filling(plan.size)
        for _ in range(times):
            if plan.code and self._sent >= plan.fail_after:
                return False
            if not self._sent and plan.initial and not plan.early:
                await self._context.send_initial_metadata(_as_pairs(plan.initial))
            await self._context.write(message)
            self._sent += 1
            if plan.pause_ms:
                await asyncio.sleep(plan.pause_ms / 1e3)
        return True


def filling(size: int) -> bytes:
    """So many bytes that are not all alike."""
    return (b"the quick brown fox %d " % size * (size // 20 + 1))[:size]


def _reply(method: str, message: bytes | None) -> bytes:
    if method == INFER:
        return _outputs(message or b"")
    if method == STREAM_INFER:
        # `ModelStreamInferResponse.infer_response`, its field 2.
        answer = _outputs(message or b"")
        return b"\x12" + _varint(len(answer)) + answer
    return message or b""


def _outputs(message: bytes) -> bytes:
    request = v2.ModelInferRequest.FromString(message)
    answer = v2.ModelInferResponse(
        model_name=request.model_name, id=request.id, raw_output_contents=request.raw_input_contents
    )
    for tensor in request.inputs:
        answer.outputs.add(
            name=tensor.name,
            datatype=tensor.datatype,
            shape=tensor.shape,
            contents=tensor.contents if tensor.HasField("contents") else None,
        )
    return answer.SerializeToString()


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def _as_pairs(told: Iterable[tuple[str, str]]) -> tuple[Pair, ...]:
    return tuple((key, bytes.fromhex(value) if key.endswith("-bin") else value) for key, value in told)


def _as_text(metadata: Iterable[Pair]) -> list[tuple[str, str]]:
    return [(key, value.hex() if isinstance(value, bytes) else value) for key, value in metadata]


def _descriptions(runtime: ExampleRuntime) -> grpc.GenericRpcHandler:
    """What V2 asks beside inference. A whole servicer would be asked before any generic handler."""
    servicer = _Inference(runtime)
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        name: grpc.unary_unary_rpc_method_handler(
            getattr(servicer, name),
            request_deserializer=getattr(v2, f"{name}Request").FromString,
            response_serializer=lambda answer: answer.SerializeToString(),
        )
        for name in ("ServerLive", "ServerReady", "ServerMetadata", "ModelReady", "ModelMetadata")
    }
    return grpc.method_handlers_generic_handler(INFER.partition("/")[0], handlers)


def _credentials(folder: Path, *, mutual: bool) -> grpc.ServerCredentials:
    """Of the files that `tests/integration/certificates.py` writes."""
    pair = ((folder / "server.key").read_bytes(), (folder / "server.pem").read_bytes())
    authority = (folder / "ca.pem").read_bytes() if mutual else None
    return grpc.ssl_server_credentials([pair], authority, require_client_auth=mutual)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A runtime that answers as each call asks it to.")
    address: dict[str, Any] = {"metavar": "ADDRESS", "action": "append", "default": []}
    parser.add_argument("--listen", help="127.0.0.1:PORT or unix:PATH; may be repeated", **address)
    parser.add_argument("--tls", help="the same, with TLS", **address)
    parser.add_argument("--mtls", help="the same, with TLS and client certificates", **address)
    parser.add_argument(
        "--certificates", type=Path, metavar="FOLDER", help="with server.pem, server.key, ca.pem"
    )
    parser.add_argument("--streams-max", type=int, default=STREAMS_MAX, help="at once on one connection")
    parser.add_argument("--grace-s", type=float, help="how long calls may still take when it is to end")
    parser.add_argument("--methods", type=_methods, default={}, help="the methods it names, `a.B/C=1;a.B/D=`")
    return parser.parse_args()


def _server(asked: argparse.Namespace) -> grpc.aio.Server:
    options = [
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_concurrent_streams", asked.streams_max),
        ("grpc.so_reuseport", 0),
    ]
    server = grpc.aio.server(options=options)
    server.add_generic_rpc_handlers((EchoHandler(Memory()),))
    runtime = ExampleRuntime(methods=asked.methods, tells_size_at_load=True)
    spi_grpc.add_ModelRuntimeServicer_to_server(_ModelRuntime(runtime), server)
    server.add_generic_rpc_handlers((_descriptions(runtime),))
    for address in asked.listen:
        server.add_insecure_port(address)
    for address in asked.tls:
        server.add_secure_port(address, _credentials(asked.certificates, mutual=False))
    for address in asked.mtls:
        server.add_secure_port(address, _credentials(asked.certificates, mutual=True))
    return server


async def _main() -> NoReturn:
    asked = _asked()
    server = _server(asked)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await server.start()
    await ended.wait()
    await server.stop(grace=asked.grace_s)
    raise SystemExit


if __name__ == "__main__":
    asyncio.run(_main())
