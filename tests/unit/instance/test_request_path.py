import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from adapter.domain.errors import (
    InvalidRequest,
    MethodNotPermitted,
    ModelNotFound,
    ObjectMissing,
    RuntimeUnavailable,
)
from adapter.domain.ids import ModelId
from adapter.instance.request_path import TRIES_MAX, RequestPath
from adapter.servers.passthrough import InboundCall
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.wire.dataplane import DEFAULT_DATAPLANE, DataplaneConfig
from tests.unit.instance.conftest import AnInstance

INFER = "inference.GRPCInferenceService/ModelInfer"
IRIS = ModelId("iris")


def a_path(instance: AnInstance, *, dataplane: DataplaneConfig = DEFAULT_DATAPLANE) -> RequestPath:
    return RequestPath(
        models=instance.models,
        cache=instance.cache,
        loader=instance.loader,
        clock=instance.clock,
        dataplane=dataplane,
        watch=instance.watch,
        runtime_name=lambda model: f"runtime's {model}",
    )


def a_call(name: str = "iris", *, deadline_s: float | None = None) -> InboundCall:
    message = v2.ModelInferRequest(model_name=name, id="7").SerializeToString()
    return InboundCall(method=INFER, metadata=(("user", "me"),), deadline_s=deadline_s, message=message)


def runtime_takes_ids(instance: AnInstance, methods: Mapping[str, tuple[int, ...]]) -> None:
    instance.watch._status = replace(instance.watch.status, methods=methods)


async def test_a_cold_call_loads_its_model_and_tells_the_time_it_took(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.disk.pull_s, instance.runtime.load_s = 3.0, 2.0
    async with a_path(instance).route(a_call()) as forward:
        assert forward.timings == pytest.approx({"queue": 0.0, "pull": 3000.0, "load": 2000.0})
    async with a_path(instance).route(a_call()) as forward:
        assert forward.timings is None, "warm"


async def test_the_models_id_goes_on_in_the_headers(instance: AnInstance) -> None:
    await instance.registered("iris")
    async with a_path(instance).route(a_call()) as forward:
        assert dict(forward.metadata) == {"user": "me", "mm-model-id": "iris", "mm-model-id-bin": b"iris"}


async def test_the_runtimes_name_is_put_where_it_wants_it(instance: AnInstance) -> None:
    await instance.registered("iris")
    runtime_takes_ids(instance, {INFER: (1,)})
    async with a_path(instance).route(a_call()) as forward:
        assert forward.message is not None
        sent = v2.ModelInferRequest.FromString(forward.message)
    assert (sent.model_name, sent.id) == ("runtime's iris", "7")


async def test_a_model_in_use_is_not_evicted(instance: AnInstance) -> None:
    await instance.registered("iris")
    async with a_path(instance).route(a_call()):
        instance.loader.drop(IRIS)
        await asyncio.sleep(10)
        assert IRIS in instance.runtime.held
    await asyncio.sleep(10)
    assert IRIS not in instance.runtime.held


async def test_a_call_that_fails_lets_go_of_its_model(instance: AnInstance) -> None:
    await instance.registered("iris")
    with pytest.raises(ZeroDivisionError):
        async with a_path(instance).route(a_call()):
            raise ZeroDivisionError
    instance.loader.drop(IRIS)
    await asyncio.sleep(1)
    assert IRIS not in instance.runtime.held


async def test_an_unknown_model_is_named(instance: AnInstance) -> None:
    with pytest.raises(ModelNotFound, match="nobody"):
        async with a_path(instance).route(a_call("nobody")):
            pytest.fail("routed")


async def test_a_call_that_names_no_model_is_refused(instance: AnInstance) -> None:
    call = InboundCall(method="a.B/C", metadata=(), deadline_s=None, message=b"")
    with pytest.raises(InvalidRequest, match="must include mm-model-id header"):
        async with a_path(instance).route(call):
            pytest.fail("routed")


async def test_a_failed_load_fails_the_call(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.disk.failures[IRIS] = ObjectMissing("nothing there")
    with pytest.raises(ObjectMissing, match="nothing there"):
        async with a_path(instance).route(a_call()):
            pytest.fail("routed")


@pytest.mark.parametrize("deadline_s", [5.0, 0.0], ids=["some time", "no time left"])
async def test_a_caller_waits_no_longer_than_its_deadline(instance: AnInstance, deadline_s: float) -> None:
    await instance.registered("iris")
    instance.disk.pull_s = 60.0
    with pytest.raises(TimeoutError):
        async with a_path(instance).route(a_call(deadline_s=deadline_s)):
            pytest.fail("routed")
    assert instance.clock.now_s() == pytest.approx(deadline_s, abs=0.1)


async def test_a_copy_that_the_runtime_lost_is_loaded_for_the_next_try(instance: AnInstance) -> None:
    await instance.registered("iris")
    path = a_path(instance)
    async with path.route(a_call()):
        instance.runtime.restart()
    await path.copy_lost(a_call())
    async with path.route(a_call()):
        assert IRIS in instance.runtime.held
    assert instance.runtime.loads[IRIS] == 2


async def test_a_call_waits_while_the_runtime_restarts(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.watch._there.clear()
    asyncio.get_running_loop().call_later(7.0, instance.watch._there.set)
    async with a_path(instance).route(a_call()):
        assert instance.clock.now_s() == pytest.approx(7.0, abs=0.1)


async def test_a_load_that_the_runtimes_crash_broke_is_tried_again(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.runtime.load_failures[IRIS] = RuntimeUnavailable("gone")
    instance.disk.pull_s = 1.0
    asyncio.get_running_loop().call_later(1.5, instance.runtime.load_failures.clear)
    async with a_path(instance).route(a_call()) as forward:
        assert forward.timings is not None
    assert instance.disk.pulls[IRIS] == 2


async def test_a_runtime_that_never_takes_a_load_is_told_as_unavailable(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.runtime.load_failures[IRIS] = RuntimeUnavailable("gone")
    with pytest.raises(RuntimeUnavailable):
        async with a_path(instance).route(a_call()):
            pytest.fail("routed")
    assert instance.disk.pulls[IRIS] == TRIES_MAX


@pytest.mark.parametrize(
    ("method", "permitted"), [(INFER, True), ("a.B/C", False)], ids=["listed", "not listed"]
)
async def test_a_runtimes_list_of_methods_is_kept_to(
    instance: AnInstance, method: str, permitted: bool
) -> None:
    runtime_takes_ids(instance, {INFER: ()})
    path = a_path(instance)
    if permitted:
        path.check(method)
    else:
        with pytest.raises(MethodNotPermitted, match=r"a\.B/C"):
            path.check(method)


async def test_a_method_outside_of_the_configuration_is_refused(instance: AnInstance) -> None:
    path = a_path(instance, dataplane=DataplaneConfig())
    with pytest.raises(MethodNotPermitted):
        path.check(INFER)
