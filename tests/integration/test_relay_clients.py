"""Clients as they are published, each by every way in that it knows."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from tests.integration import certificates
from tests.integration.certificates import Certificates
from tests.integration.clients import commands, exercises, meshes
from tests.integration.clients.meshes import Door, EchoRuntime
from tests.integration.echo_runtime import Plan

CALLS = 3000

GetDoor = Callable[[str], Door]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory, made: Certificates) -> Iterator[EchoRuntime]:
    with meshes.echo_runtime(tmp_path_factory.mktemp("runtime"), made) as running:
        yield running


@pytest.fixture(scope="module")
def get_door(
    tmp_path_factory: pytest.TempPathFactory, made: Certificates, runtime: EchoRuntime
) -> Iterator[GetDoor]:
    """Opens a door, the first time that it is asked for."""
    opened: dict[str, Door] = {}
    with ExitStack() as stack:

        def get(name: str) -> Door:
            if name not in opened:
                folder = tmp_path_factory.mktemp(name)
                opened[name] = stack.enter_context(meshes.relay(folder, runtime, made, door=name))
            return opened[name]

        yield get


@pytest.fixture
def door(request: pytest.FixtureRequest, get_door: GetDoor) -> Door:
    return get_door(request.param)


EVERY_DOOR = pytest.mark.parametrize("door", meshes.DOORS, indirect=True)
THROUGH_THE_MESH = pytest.mark.skipif(meshes.DIRECT, reason="a runtime alone has no such thing")


@EVERY_DOOR
@pytest.mark.parametrize("client", exercises.CLIENTS)
def test_every_kind_of_call_with_its_errors_deadline_and_cancellation(
    client: str, door: Door, runtime: EchoRuntime
) -> None:
    said = exercises.run(client, door)
    assert said.got == exercises.EXPECTED
    exercises.assert_the_runtime_saw(runtime, said)


@THROUGH_THE_MESH
@EVERY_DOOR
def test_tritonclient_over_grpc(door: Door) -> None:
    said = exercises.triton(door, "grpc")
    assert said == exercises.SAID_BY_TRITON["grpc"]


@THROUGH_THE_MESH
@pytest.mark.parametrize("door", ["tcp", "tls", "mtls"], indirect=True)
def test_tritonclient_over_http(door: Door) -> None:
    said = exercises.triton(door, "http")
    assert said == exercises.SAID_BY_TRITON["http"]


@THROUGH_THE_MESH
@EVERY_DOOR
def test_grpcurl_finds_its_way_by_reflection(door: Door) -> None:
    assert "inference.GRPCInferenceService" in commands.grpcurl(door, "list").split()
    described = commands.grpcurl(door, "describe", "inference.GRPCInferenceService.ModelInfer")
    assert "rpc ModelInfer ( .inference.ModelInferRequest )" in described
    request = json.dumps({"modelName": door.model, "id": "7"})
    answer = json.loads(commands.grpcurl(door, "inference.GRPCInferenceService/ModelInfer", data=request))
    # Descriptors of protoc's Python plugin name no JSON names, and grpcurl falls back to the fields' own.
    assert answer == {"model_name": door.model, "id": "7"}


@EVERY_DOOR
@pytest.mark.parametrize(
    ("method", "answers"),
    [("Unary", [["YQ=="]]), ("ServerStream", [["YQ=="]] * 3), ("Bidi", [["YQ=="], ["Yg=="]])],
    ids=["unary", "server stream", "both stream"],
)
def test_grpcurl_told_what_there_is(door: Door, method: str, answers: list[list[str]]) -> None:
    sent = '{"content": ["YQ=="]}' + ('{"content": ["Yg=="]}' if method == "Bidi" else "")
    plan = Plan(responses=3 if method == "ServerStream" else 1)
    options = (*commands.ECHO_PROTO, "-H", f"mm-model-id: {door.model}", "-H", f"echo-plan: {plan}")
    said = commands.grpcurl(door, f"test.Echo/{method}", options=options, data=sent)
    assert [json.loads(each)["content"] for each in said.replace("}\n{", "}\n\n{").split("\n\n")] == answers


@EVERY_DOOR
def test_thousands_of_calls_of_grpc_go_without_an_error(door: Door, runtime: EchoRuntime) -> None:
    before = runtime.counts()
    proto = ("--proto", str(commands.V2_PROTO), "--call", "inference.GRPCInferenceService.ModelInfer")
    request = json.dumps({"model_name": door.model, "raw_input_contents": ["AAAA"]})
    report = commands.ghz(door, *proto, "--data", request, calls=CALLS, in_flight=64)
    assert report["statusCodeDistribution"] == {"OK": CALLS}, report["errorDistribution"]
    assert (runtime.counts() - before)["answered"] == CALLS


def test_streams_of_grpc_go(get_door: GetDoor) -> None:
    door = get_door("tcp")
    proto = ("--proto", str(commands.ECHO_PROTO[-1]), "--import-paths", commands.ECHO_PROTO[1])
    options = ("--metadata", json.dumps({"mm-model-id": door.model}), "--call", "test.Echo.Bidi")
    sent = json.dumps([{"content": ["YQ=="]}] * 5)
    report = commands.ghz(door, *proto, *options, "--data", sent, calls=200, in_flight=20)
    assert report["statusCodeDistribution"] == {"OK": 200}, report["errorDistribution"]


@pytest.mark.parametrize("door", ["tcp", "tls", "unix"], indirect=True)
def test_h2load_and_the_runtime_count_the_same(door: Door, runtime: EchoRuntime, tmp_path: Path) -> None:
    before = runtime.counts()
    body = tmp_path / "body"
    body.write_bytes(commands.framed(commands.infer_request(door).SerializeToString()))
    said = commands.h2load(door, body, calls=CALLS)
    assert f"{CALLS} succeeded, 0 failed, 0 errored, 0 timeout" in said
    # It takes an error of gRPC for a success.
    assert (runtime.counts() - before)["answered"] == CALLS


@THROUGH_THE_MESH
@EVERY_DOOR
def test_curl_gets_a_page(door: Door) -> None:
    said = commands.curl(door, commands.http2(door), commands.url(door, "/"))
    headers, _, page = said.partition("\r\n\r\n")
    assert headers.startswith("HTTP/2 200")
    assert page


@EVERY_DOOR
def test_curl_makes_a_grpc_call(door: Door) -> None:
    message = commands.framed(commands.infer_request(door).SerializeToString())
    headers = ("--header", "content-type: application/grpc", "--header", "te: trailers")
    url = commands.url(door, "/inference.GRPCInferenceService/ModelInfer")
    said = commands.curl(door, commands.http2(door), *headers, "--data-binary", "@-", url, stdin=message)
    assert said.startswith("HTTP/2 200")
    assert "grpc-status: 0" in said


@THROUGH_THE_MESH
@pytest.mark.parametrize("door", ["tcp", "tls", "mtls"], indirect=True)
def test_curl_infers_over_rest(door: Door) -> None:
    tensor = {"name": "x", "datatype": "FP32", "shape": [2], "data": [1.5, -2]}
    headers = ("--header", "content-type: application/json", "--data-binary", "@-")
    url = f"{door.scheme}://localhost:{door.rest_port}/v2/models/{door.model}/infer"
    said = commands.curl(door, *headers, url, stdin=json.dumps({"inputs": [tensor]}).encode())
    head, _, body = said.partition("\r\n\r\n")
    assert " 200" in head.splitlines()[0]
    assert json.loads(body)["outputs"] == [tensor]


@pytest.mark.parametrize("who", [None, "stranger"], ids=["without a certificate", "of another authority"])
def test_who_has_no_certificate_of_ours_is_refused(
    who: str | None, get_door: GetDoor, made: Certificates
) -> None:
    files = {"ca": made.authority}
    if who:
        files |= {"cert": made.client(who), "key": made.client_key(who)}
    with replace(get_door("mtls"), files=files).channel() as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Echo/Unary")
        with pytest.raises(grpc.RpcError) as refused:
            call(b"x", metadata=(("mm-model-id", meshes.MODEL),), timeout=20)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
