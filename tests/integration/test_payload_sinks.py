"""Payloads posted to a real HTTP server, over HTTP and HTTPS."""

import asyncio
import base64
import json
import logging
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from adapter.aio.clock import LoopClock
from adapter.servers import payload_sinks
from adapter.servers.payload_messages import Payload
from adapter.servers.payload_processors import PayloadProcessors
from adapter.servers.payload_sinks import HttpSink, LogSink, SinkFailed
from adapter.servers.self_signed import self_signed
from tests.integration.mesh import free_port

INFER = "inference.GRPCInferenceService/ModelInfer"


@dataclass
class Collector:
    """What was posted: path, headers and document; and how it answers."""

    port: int = 0
    posts: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    connections: int = 0
    status: int = 200
    answer: bytes = b"{}"


@contextmanager
def collecting(*, tls: bool = False) -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            collector.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            collector.posts.append((self.path, headers, json.loads(body)))
            self.send_response(collector.status)
            self.send_header("content-length", str(len(collector.answer)))
            self.send_header("location", "/elsewhere")
            self.end_headers()
            self.wfile.write(collector.answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base has it
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls:
            server.socket = self_signed("localhost").wrap_socket(server.socket, server_side=True)
        collector.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield collector
        server.shutdown()
        thread.join()


@asynccontextmanager
async def running(text: str) -> AsyncIterator[PayloadProcessors]:
    processors = PayloadProcessors.parse(text, clock=LoopClock())
    async with asyncio.TaskGroup() as owner:
        task = owner.create_task(processors.run())
        yield processors
        task.cancel()


async def until(processors: PayloadProcessors, *, count: int) -> None:
    """Until so many payloads were sent, or have failed."""
    async with asyncio.timeout(10):
        while sum(n for (_, outcome), n in processors.figures() if outcome != "dropped") < count:  # noqa: ASYNC110 - it tells its figures, and no more
            await asyncio.sleep(0.01)


def a_payload(*, data: bytes = b"\x0a\x04iris", model: str = "iris") -> Payload:
    return Payload(
        id="7", model_id=model, method=INFER, kind="request", metadata=[("x-request-id", "17")], data=data
    )


async def test_a_payload_arrives_as_json() -> None:
    with collecting() as collector:
        uri = f"http://me:secret@127.0.0.1:{collector.port}/in?iris#ModelInfer"
        async with running(uri) as processors:
            processors.offer(a_payload())
            await until(processors, count=1)
    ((path, headers, document),) = collector.posts
    assert path == "/in?iris"
    assert headers["content-type"] == "application/json"
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"me:secret"
    assert document == {
        "id": "7",
        "modelid": "iris",
        "vModelId": None,
        "data": "CgRpcmlz",
        "kind": "request",
        "status": "",
        "metadata": {"x-request-id": "17"},
    }


async def test_a_connection_is_used_again() -> None:
    with collecting() as collector:
        async with running(f"http://127.0.0.1:{collector.port}/") as processors:
            for _ in range(5):
                processors.offer(a_payload())
            await until(processors, count=5)
    assert (len(collector.posts), collector.connections) == (5, 1)


async def test_a_large_message_arrives_whole() -> None:
    data = bytes(range(256)) * 4096 * 4
    with collecting() as collector:
        async with running(f"http://127.0.0.1:{collector.port}/") as processors:
            processors.offer(a_payload(data=data))
            await until(processors, count=1)
    assert base64.b64decode(collector.posts[0][2]["data"]) == data


@pytest.mark.parametrize("status", [302, 404, 503])
async def test_another_status_is_a_failure_and_nothing_is_followed(status: int) -> None:
    with collecting() as collector:
        collector.status = status
        sink = HttpSink(f"http://127.0.0.1:{collector.port}/", None)
        with pytest.raises(SinkFailed, match=f"status {status}"):
            await sink.send(a_payload())
        sink.close()
    assert len(collector.posts) == 1


async def test_an_endless_answer_is_not_read() -> None:
    with collecting() as collector:
        collector.answer = bytes(1_000_000)
        async with running(f"http://127.0.0.1:{collector.port}/") as processors:
            processors.offer(a_payload())
            processors.offer(a_payload())
            await until(processors, count=2)
            assert dict(processors.figures())[f"http://127.0.0.1:{collector.port}", "sent"] == 2


async def test_where_nobody_listens_payloads_fail_and_the_path_is_not_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    port = free_port()
    async with running(f"http://me:secret@127.0.0.1:{port}/secret-token") as processors:
        processors.offer(a_payload())
        await until(processors, count=1)
    (line,) = [record for record in caplog.records if record.name.startswith("adapter")]
    assert vars(line)["cause"] == "NewConnectionError"
    assert "secret" not in str(vars(line))


async def test_one_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload_sinks, "ANSWER_S_MAX", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sink = HttpSink(f"http://127.0.0.1:{silent.getsockname()[1]}/", None)
        with pytest.raises(SinkFailed, match="ReadTimeoutError"):
            await sink.send(a_payload())
        sink.close()


async def test_https_trusts_only_who_is_vouched_for() -> None:
    with collecting(tls=True) as collector:
        sink = HttpSink(f"https://127.0.0.1:{collector.port}/", None)
        with pytest.raises(SinkFailed, match="SSLError"):
            await sink.send(a_payload())
        sink.close()
    assert collector.posts == []


async def test_the_log_has_what_a_payload_is_about(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await LogSink().send(a_payload(data=b"secret"))
    (line,) = caplog.records
    assert line.message == "payload"
    assert vars(line).items() >= {"model": "iris", "method": INFER, "kind": "request", "status": ""}.items()
    assert "secret" not in str(vars(line))
