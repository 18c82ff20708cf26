import pytest

from adapter.domain.errors import CallerNotAllowed
from adapter.http2.flow import Limits
from adapter.http2.outgoing import Shared
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import ANYONE, Caller
from adapter.instance.doors import Doors

V2 = "inference.GRPCInferenceService"
REGISTER = "mmesh.ModelMesh/registerModel"
OPERATOR = Caller(names=frozenset({"operator", "localhost"}))
STRANGER = Caller(names=frozenset({"caller"}))
MANAGING = [REGISTER, f"{V2}/RepositoryModelLoad", f"{V2}/RepositoryModelUnload"]
FOR_ALL = [f"{V2}/ServerLive", f"{V2}/RepositoryIndex", "grpc.health.v1.Health/Check", f"{V2}/ModelInfer"]


def a_door() -> Upstream:
    return Upstream(Shared(Limits()), "ours", lambda _: None)


@pytest.mark.parametrize(
    ("rpc", "ours"),
    [
        (REGISTER, True),
        ("mmesh.ModelMesh/anythingNew", True),
        ("grpc.health.v1.Health/Watch", True),
        ("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", True),
        ("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", True),
        *((f"{V2}/{name}", True) for name in ("ServerLive", "ServerReady", "ServerMetadata", "ModelReady")),
        *((f"{V2}/{name}", True) for name in ("RepositoryIndex", "RepositoryModelLoad")),
        ("mesh.Mesh/explain", True),
        ("mesh.Peer/load", False),
        (f"{V2}/ModelInfer", False),
        (f"{V2}/ModelMetadata", False),
        ("any.Service/Method", False),
        ("", False),
    ],
)
def test_what_is_ours_is_answered_at_our_door(rpc: str, ours: bool) -> None:
    door = a_door()
    assert Doors(door=door).door_of(rpc) is (door if ours else None)


def test_what_instances_ask_each_other_is_answered_to_instances() -> None:
    door = a_door()
    assert Doors(door=door).door_of("mesh.Peer/load", from_peer=True) is door


@pytest.mark.parametrize("rpc", [*MANAGING, *FOR_ALL])
def test_unless_it_is_set_everybody_may_everything(rpc: str) -> None:
    Doors().check(rpc, ANYONE)


@pytest.mark.parametrize("rpc", MANAGING)
def test_management_can_have_an_address_of_its_own(rpc: str) -> None:
    doors = Doors(own_port_only=True)
    doors.check(rpc, Caller(from_management=True))
    with pytest.raises(CallerNotAllowed, match=f"{rpc} is answered only at this instance's management"):
        doors.check(rpc, OPERATOR)


@pytest.mark.parametrize("rpc", MANAGING)
@pytest.mark.parametrize("caller", [STRANGER, ANYONE], ids=["another certificate", "none"])
def test_management_can_be_for_certain_certificates(rpc: str, caller: Caller) -> None:
    doors = Doors(client_names={"operator", "another"})
    doors.check(rpc, OPERATOR)
    with pytest.raises(CallerNotAllowed, match="REMESH_MANAGEMENT_CLIENTS"):
        doors.check(rpc, caller)


@pytest.mark.parametrize(
    ("caller", "may"),
    [
        pytest.param(Caller(names=OPERATOR.names, from_management=True), True, id="there, with its name"),
        pytest.param(Caller(names=STRANGER.names, from_management=True), False, id="there, with another"),
        pytest.param(Caller(names=frozenset(), from_management=True), False, id="there, without"),
        pytest.param(OPERATOR, False, id="with its name, elsewhere"),
        pytest.param(Caller(from_management=True), True, id="by the socket, which has no TLS"),
    ],
)
def test_both_can_be_asked_for(caller: Caller, may: bool) -> None:
    doors = Doors(own_port_only=True, client_names={"operator"})
    if may:
        doors.check(REGISTER, caller)
    else:
        with pytest.raises(CallerNotAllowed):
            doors.check(REGISTER, caller)


@pytest.mark.parametrize("rpc", FOR_ALL)
def test_what_does_not_manage_is_for_everybody(rpc: str) -> None:
    Doors(own_port_only=True, client_names={"operator"}).check(rpc, ANYONE)
