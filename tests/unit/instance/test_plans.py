"""What may be called, and what is remembered of methods."""

import pytest

from adapter.domain.errors import CallerNotAllowed, Code, MethodNotPermitted
from adapter.http2.header_blocks import FieldMemory
from adapter.http2.request_head import RequestHead
from adapter.http2.verdicts import ANYONE, Caller
from adapter.instance import plans
from adapter.instance.naming import REMEMBERED_MAX
from adapter.wire.dataplane import DataplaneConfig
from tests.unit.instance.meshed import INFER, AnInstance


def a_head(rpc: str) -> RequestHead:
    head = RequestHead(FieldMemory())
    head.rpc = rpc
    return head


@pytest.mark.parametrize(
    ("rpc", "permitted"),
    [(INFER, True), ("a.B/C", False), ("mmesh.ModelRuntime/loadModel", False)],
    ids=["listed", "not listed", "the SPI"],
)
async def test_a_runtimes_list_of_methods_is_kept_to(instance: AnInstance, rpc: str, permitted: bool) -> None:
    await instance.registered("iris")
    instance.offers(ModelInfer=())
    answer = await instance.ask(b"", method=rpc)
    assert answer.code is (Code.OK if permitted else Code.UNIMPLEMENTED)
    assert permitted or answer.text == f"Method not found or not permitted: {rpc}"


async def test_the_spi_is_refused_whatever_the_runtime_offers(instance: AnInstance) -> None:
    with pytest.raises(MethodNotPermitted):
        instance.parts.path.plan(a_head("mmesh.ModelRuntime/unloadModel"), ANYONE)


async def test_a_configuration_is_used_from_the_moment_it_is_there(instance: AnInstance) -> None:
    await instance.registered("iris")
    assert (await instance.infer()).code is Code.OK
    instance.parts.path.use(DataplaneConfig())
    assert (await instance.infer()).code is Code.UNIMPLEMENTED


async def test_what_is_ours_goes_to_our_door_if_the_caller_may(instance: AnInstance) -> None:
    instance.parts.doors.door = instance.server.relay.upstream("ours", lambda _: None)
    rpc = "mmesh.ModelMesh/registerModel"
    assert instance.parts.path.plan(a_head(rpc), ANYONE).door is instance.parts.doors.door
    instance.parts.doors.own_port_only = True
    with pytest.raises(CallerNotAllowed):
        instance.parts.path.plan(a_head(rpc), ANYONE)


async def test_methods_that_clients_make_up_are_not_remembered_for_ever(
    instance: AnInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "REMEMBERED_MAX", 3)
    assert REMEMBERED_MAX > 3
    path = instance.parts.path
    for number in range(10):
        path.plan(a_head(f"any.Service/M{number}"), ANYONE)
    assert len(path._plans._plans) <= 3


async def test_what_instances_ask_of_each_other_is_for_instances_alone(instance: AnInstance) -> None:
    head = a_head("mesh.Peer/load")
    assert instance.parts.path.plan(head, Caller(from_peer=True)).door is instance.parts.doors.door
    with pytest.raises(MethodNotPermitted):
        instance.parts.path.plan(head, ANYONE)


async def test_a_forwarded_call_of_a_method_is_read_in_another_way(instance: AnInstance) -> None:
    head, path = a_head(INFER), instance.parts.path
    assert not path.plan(head, ANYONE).reading.forwarded
    assert path.plan(head, Caller(from_peer=True)).reading.forwarded
