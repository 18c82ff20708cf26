"""Scraped as Prometheus does: over HTTP and HTTPS, with filters, with gzip."""

import asyncio
import gzip
import http.client
import logging
import socket
import ssl
from collections.abc import Iterator, Mapping

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from adapter.servers.metrics_server import metrics_serving
from adapter.servers.self_signed import self_signed
from adapter.telemetry.metrics import Metrics


def measured(*, models: int = 1) -> Metrics:
    metrics = Metrics(per_model=models > 1)
    for number in range(models):
        metrics.requests.api_request(
            "inference.GRPCInferenceService/ModelInfer", "OK", 3, 100, 200, f"m{number}"
        )
    return metrics


def get(
    port: int, path: str = "/metrics", *, tls: bool = False, headers: Mapping[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    """One GET on a connection of its own, as any client does it."""
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=10, context=context
        )
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def families(text: bytes) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text.decode())}


@pytest.mark.parametrize("path", ["/metrics", "/"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_the_metrics_are_told(path: str, tls: bool) -> None:
    context = self_signed("localhost") if tls else None
    async with metrics_serving(measured().render, host="127.0.0.1", port=0, tls=context) as port:
        assert port
        answer, body = await asyncio.to_thread(get, port, path, tls=tls)
    assert (answer.status, answer.headers["content-type"]) == (
        200,
        "text/plain; version=0.0.4; charset=utf-8",
    )
    samples = families(body)["modelmesh_api_request_milliseconds"].samples
    assert {s.labels["le"]: s.value for s in samples if s.name.endswith("_bucket")}["5.0"] == 1


async def test_a_filter_may_be_repeated() -> None:
    query = "name[]=modelmesh_loadmodel_failure&name[]=process_open_fds"
    async with metrics_serving(measured().render, host="127.0.0.1", port=0) as port:
        assert port
        _, body = await asyncio.to_thread(get, port, f"/metrics?{query}")
    assert set(families(body)) == {"modelmesh_loadmodel_failure", "process_open_fds"}


async def test_gzip_is_for_who_accepts_it() -> None:
    async with metrics_serving(measured(models=50).render, host="127.0.0.1", port=0) as port:
        assert port
        headers = {"accept-encoding": "gzip"}
        answer, body = await asyncio.to_thread(get, port, headers=headers)
        _, plain = await asyncio.to_thread(get, port)
    assert answer.headers["content-encoding"] == "gzip"
    assert len(body) < len(plain) / 5
    assert set(families(gzip.decompress(body))) == set(families(plain))


async def test_openmetrics_is_answered_in_the_form_that_knows_bare_counters() -> None:
    headers = {"accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
    async with metrics_serving(measured().render, host="127.0.0.1", port=0) as port:
        assert port
        answer, body = await asyncio.to_thread(get, port, headers=headers)
    assert answer.headers["content-type"].startswith("text/plain")
    assert b"\nmodelmesh_loadmodel_failure 0.0\n" in body


async def test_the_loop_turns_while_a_large_scrape_is_answered() -> None:
    turns_at_piece: list[int] = []
    turns = 0

    def pieces(_names: frozenset[str]) -> Iterator[bytes]:
        for _ in range(20):
            turns_at_piece.append(turns)
            yield b"x" * 20_000

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with metrics_serving(pieces, host="127.0.0.1", port=0) as port, asyncio.TaskGroup() as owner:
        assert port
        turning = owner.create_task(turn())
        _, body = await asyncio.to_thread(get, port)
        turning.cancel()
    assert len(body) == 400_000
    assert len(set(turns_at_piece)) == 20


@pytest.mark.parametrize(("path", "status"), [("/other", 404), ("/metrics/", 404)])
async def test_there_is_nothing_else(path: str, status: int) -> None:
    async with metrics_serving(measured().render, host="127.0.0.1", port=0) as port:
        assert port
        answer, _ = await asyncio.to_thread(get, port, path)
    assert answer.status == status


async def test_a_port_that_is_taken_only_disables_the_metrics(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with metrics_serving(measured().render, host="127.0.0.1", port=port) as got:
            assert got is None
    (line,) = caplog.records
    assert (line.message, vars(line)["port"]) == ("metrics are not served", port)


async def test_scrapes_are_logged_if_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for log_scrapes in (False, True):
        serving = metrics_serving(measured().render, host="127.0.0.1", port=0, log_scrapes=log_scrapes)
        async with serving as port:
            assert port
            await asyncio.to_thread(get, port)
    assert [r.message for r in caplog.records if r.name.endswith("metrics_server")] == ["metrics scraped"]


async def test_garbage_is_refused_and_the_next_scrape_answered() -> None:
    async with metrics_serving(measured().render, host="127.0.0.1", port=0) as port:
        assert port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x00\xff garbage\r\n\r\n")
        assert (await reader.read()).startswith((b"", b"HTTP/1.1 400"))
        writer.close()
        await writer.wait_closed()
        answer, _ = await asyncio.to_thread(get, port)
    assert answer.status == 200


async def test_the_port_is_free_afterwards() -> None:
    async with metrics_serving(measured().render, host="127.0.0.1", port=0) as port:
        assert port
    with socket.create_server(("127.0.0.1", port)):
        pass
