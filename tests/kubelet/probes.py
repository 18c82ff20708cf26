"""Probes: how one is asked, and what its answers amount to."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

Manifest = Mapping[str, Any]

GOOD = range(200, 400)
BODY_MAX = 200
"""Characters of an answer that are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """When a probe is asked, and how many answers count; defaults as the API has them."""

    delay_s: float = 0.0
    period_s: float = 10.0
    timeout_s: float = 1.0
    successes: int = 1
    failures: int = 3

    @classmethod
    def of(cls, probe: Manifest) -> "Patience":
        return cls(
            delay_s=probe.get("initialDelaySeconds", 0),
            period_s=probe.get("periodSeconds", 10),
            timeout_s=probe.get("timeoutSeconds", 1),
            successes=probe.get("successThreshold", 1),
            failures=probe.get("failureThreshold", 3),
        )


class Verdict:
    """What the answers of one probe amount to: it turns after so many equal ones in a row."""

    def __init__(self, patience: Patience, *, at_first: bool) -> None:
        self.good = at_first
        self._patience = patience
        self._last: bool | None = None
        self._row = 0

    def heard(self, *, good: bool) -> bool:
        """Whether so many in a row said the same that it counts; `good` is what it is then."""
        self._row = self._row + 1 if good is self._last else 1
        self._last = good
        needed = self._patience.successes if good else self._patience.failures
        if self._row < needed:
            return False
        self.good = good
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The container that is asked."""

    host: str
    ports: Mapping[str, int]
    """By their names."""
    execute: Callable[[list[str]], Awaitable[tuple[int, str]]]
    """A command in the container: its exit code and its output."""
    http: httpx.AsyncClient

    def port(self, told: str | int) -> int:
        return told if isinstance(told, int) else self.ports.get(told) or int(told)


async def ask(action: Manifest, target: Target, *, timeout_s: float) -> str:
    """Do one `httpGet`, `tcpSocket`, `grpc` or `exec`; empty: it went well, else why not."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _asked(action, target)
    except TimeoutError:
        return f"timeout: no answer within {timeout_s:g} s"
    except (OSError, ValueError, httpx.HTTPError) as error:
        return str(error) or type(error).__name__
    except grpc.aio.AioRpcError as error:
        return f"{error.code().name}: {error.details()}"


async def _asked(action: Manifest, target: Target) -> str:
    if get := action.get("httpGet"):
        return await _http(get, target)
    if connect := action.get("tcpSocket"):
        host = connect.get("host") or target.host
        _, writer = await asyncio.open_connection(host, target.port(connect["port"]))
        writer.close()
        return ""
    if check := action.get("grpc"):
        return await _grpc(check, target)
    if run := action.get("exec"):
        code, output = await target.execute(list(run["command"]))
        return "" if code == 0 else f"command ended with status {code}: {output[:BODY_MAX]}"
    raise ValueError(f"neither httpGet, tcpSocket, grpc nor exec: {', '.join(action)}")


async def _http(get: Manifest, target: Target) -> str:
    scheme, host = get.get("scheme", "HTTP").lower(), get.get("host") or target.host
    url = f"{scheme}://{host}:{target.port(get['port'])}/{get.get('path', '/').lstrip('/')}"
    headers = {each["name"]: each["value"] for each in get.get("httpHeaders") or []}
    answer = await target.http.get(url, headers={"Connection": "close", **headers})
    if answer.status_code in GOOD:
        return ""
    return f"HTTP probe failed with statuscode: {answer.status_code}: {answer.text[:BODY_MAX]}"


async def _grpc(check: Manifest, target: Target) -> str:
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.insecure_channel(f"{target.host}:{check['port']}", options=options) as channel:
        asked = health_pb2.HealthCheckRequest(service=check.get("service") or "")
        stub: Any = health_pb2_grpc.HealthStub(channel)  # its methods carry no types
        answer = await stub.Check(asked)
    serving = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return "" if serving == "SERVING" else f"service is {serving}"
