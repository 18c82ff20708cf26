"""Health between real sockets, asked with the library's own client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from adapter.servers import health
from adapter.servers.health import Health
from tests.fakes.doors import WAIT_S_MAX, connected

SERVING = HealthCheckResponse.SERVING
NOT_SERVING = HealthCheckResponse.NOT_SERVING
UNKNOWN = HealthCheckResponse.SERVICE_UNKNOWN


class Services(dict[str, bool]):
    """By name, whether the service can be used."""


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    monkeypatch.setattr(health, "LOOK_S", 0.02)
    return Services({"": True, "a.Service": True})


@pytest.fixture
async def told(services: Services) -> Health:
    return Health(services.get)


@pytest.fixture
async def stub(told: Health) -> AsyncIterator[Any]:
    async with connected(told.handlers()) as channel:
        yield HealthStub(channel)  # its methods carry no types


def watched(stub: Any, service: str) -> AsyncIterator[HealthCheckResponse]:
    return aiter(stub.Watch(HealthCheckRequest(service=service), timeout=WAIT_S_MAX))


async def test_each_service_is_told_of(services: Services, stub: Any) -> None:
    services["a.Service"] = False
    for name, status in (("", SERVING), ("a.Service", NOT_SERVING)):
        assert (await stub.Check(HealthCheckRequest(service=name))).status == status
    with pytest.raises(grpc.aio.AioRpcError, match="no service 'x' is offered") as caught:
        await stub.Check(HealthCheckRequest(service="x"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_who_watches_is_told_of_each_change(services: Services, stub: Any) -> None:
    for name in ("a.Service", "later.Service"):
        watch = watched(stub, name)
        assert (await anext(watch)).status == (SERVING if name in services else UNKNOWN)
        for serving, status in ((False, NOT_SERVING), (True, SERVING)):
            services[name] = serving
            assert (await anext(watch)).status == status


async def test_one_who_leaves_does_not_take_the_others_along(services: Services, stub: Any) -> None:
    leaves, stays = stub.Watch(HealthCheckRequest()), watched(stub, "")
    await anext(aiter(leaves))
    await anext(stays)
    leaves.cancel()
    services[""] = False
    assert (await anext(stays)).status == NOT_SERVING


async def test_when_we_stop_all_are_told_and_every_watch_ends(told: Health, stub: Any) -> None:
    watch = watched(stub, "")
    await anext(watch)
    told.stop()
    assert [each.status async for each in watch] == [NOT_SERVING]
    assert (await stub.Check(HealthCheckRequest())).status == NOT_SERVING


async def test_only_so_many_watch(services: Services, stub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "WATCHERS_MAX", 1)
    first = stub.Watch(HealthCheckRequest())
    await anext(aiter(first))
    with pytest.raises(grpc.aio.AioRpcError, match="1 watch the health already") as caught:
        await anext(watched(stub, ""))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    first.cancel()
    async with asyncio.timeout(WAIT_S_MAX):
        while True:
            try:
                await anext(watched(stub, ""))
                break
            except grpc.aio.AioRpcError:
                continue
