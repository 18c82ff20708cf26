"""The REST door as a server: opening, closing, TLS, and clients that are not ours."""

import asyncio
import gzip
import json
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import httpx
import joblib
import pytest
import uvloop
from google.protobuf.message import Message
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from adapter.servers.grpc_server import CannotListen
from adapter.servers.rest_gateway import rest_serving, rest_serving_on
from adapter.servers.rest_options import RestOptions
from adapter.servers.tls import HTTP1, ClientAuth, ClientTls, KeyPair, ServerTls
from adapter.stubs.inference import open_inference_pb2 as v2
from tests.fakes.channel_calls import ChannelCalls
from tests.fakes.unary_calls import FakeUnaryCalls, Reply
from tests.integration import certificates, mesh
from tests.integration.certificates import Certificates

CLIENT = Path(__file__).parent / "clients" / "triton_rest.py"
ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
HOST = "127.0.0.1"


def echo(request: Message) -> Message:
    """The inputs as outputs, in the form in which they came."""
    assert isinstance(request, v2.ModelInferRequest)
    response = v2.ModelInferResponse(model_name=request.model_name, id=request.id)
    for tensor in request.inputs:
        response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if tensor.HasField("contents"):
            response.outputs[-1].contents.CopyFrom(tensor.contents)
    response.raw_output_contents.extend(request.raw_input_contents)
    return response


def ready_when(go: asyncio.Event | None = None) -> FakeUnaryCalls:
    replies: dict[str, Reply] = {"ModelReady": v2.ModelReadyResponse(ready=True), "ModelInfer": echo}
    return FakeUnaryCalls(replies=replies, hold=go)


async def said_by(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    return said.decode()


async def test_a_taken_port_is_told() -> None:
    async with rest_serving(ready_when(), host=HOST, port=0) as port:
        with pytest.raises(CannotListen, match=f"cannot listen on {HOST}:{port}"):
            async with rest_serving(ready_when(), host=HOST, port=port):
                pass


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "::", "[::1]"])
async def test_it_listens_where_it_is_told(host: str) -> None:
    if ":" in host and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    reached = "[::1]" if host == "[::1]" else HOST
    async with rest_serving(ready_when(), host=host, port=0) as port, httpx.AsyncClient() as client:
        assert (await client.get(f"http://{reached}:{port}/")).json() == {"status": "alive"}


async def test_it_serves_on_a_socket_that_is_bound_already() -> None:
    listener = socket.create_server((HOST, 0))
    async with rest_serving_on(listener, ready_when()) as port, httpx.AsyncClient() as client:
        assert (await client.get(f"http://{HOST}:{port}/")).status_code == 200
    assert listener.fileno() == -1


@pytest.mark.parametrize("grace_s", [30.0, 0.0], ids=["answered", "given up"])
@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_requests_in_flight_have_a_grace(
    grace_s: float, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def story() -> None:
        go = asyncio.Event()
        calls = ready_when(go)
        options = RestOptions(stop_grace_s=grace_s)
        async with httpx.AsyncClient(timeout=20) as client, asyncio.TaskGroup() as owner:
            async with rest_serving(calls, host=HOST, port=0, options=options) as port:
                idle = await client.get(f"http://{HOST}:{port}/")
                asked = owner.create_task(client.get(f"http://{HOST}:{port}/v2/models/m/ready"))
                await calls.begun.wait()
                asyncio.get_running_loop().call_later(0.05, go.set)
            answer = await asked
        assert idle.status_code == 200
        if grace_s:
            assert answer.json() == {"name": "m", "ready": True}
        else:
            assert (answer.status_code, answer.json()["code"]) == (503, 14)
            assert calls.cancelled.is_set()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, port)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(story())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


def trusting(made: Certificates, name: str | None) -> ssl.SSLContext:
    pair = KeyPair(cert_path=made.client(name), key_path=made.client_key(name)) if name else None
    return ClientTls(pair=pair, trust_paths=(made.authority,)).build(HTTP1)


async def test_tls_asks_for_the_certificates_that_its_context_asks_for(made: Certificates) -> None:
    pair = KeyPair(cert_path=made.server, key_path=made.server_key)
    tls = ServerTls(pair=pair, client_auth=ClientAuth.REQUIRE, trust_paths=(made.authority,)).build(HTTP1)
    async with rest_serving(ready_when(), host=HOST, port=0, tls=tls) as port:
        url = f"https://localhost:{port}/v2/models/m/ready"
        async with httpx.AsyncClient(verify=trusting(made, "caller")) as client:
            assert (await client.get(url)).json()["ready"]
        async with httpx.AsyncClient(verify=trusting(made, None)) as stranger:
            with pytest.raises((httpx.ConnectError, httpx.ReadError)):
                await stranger.get(url)


async def test_large_bodies_are_packed_and_unpacked_beside_the_loop() -> None:
    tensor = {"name": "x", "datatype": "INT32", "shape": [200_000], "data": list(range(200_000))}
    packed = gzip.compress(json.dumps({"inputs": [tensor]}).encode())
    async with rest_serving(ready_when(), host=HOST, port=0) as port, httpx.AsyncClient() as client:
        url = f"http://{HOST}:{port}/v2/models/m/infer"
        answer = await client.post(url, content=packed, headers={"Content-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json()["outputs"] == [tensor]


async def test_curl_is_answered() -> None:
    document = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [0.5, 2]}]}
    async with rest_serving(ready_when(), host=HOST, port=0) as port:
        url = f"http://{HOST}:{port}/v2/models/gr%C3%B6%C3%9Fe/infer"
        for options in ((), ("--http1.0",), ("--http2",), ("-H", "Expect: 100-continue")):
            answer = json.loads(await said_by("curl", "-sS", *options, "-d", json.dumps(document), url))
            assert answer["model_name"] == "größe"
            assert answer["outputs"][0]["data"] == [0.5, 2]


@pytest.fixture(scope="module")
def classifier() -> LogisticRegression:
    return LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True))


@pytest.fixture
async def iris(classifier: LogisticRegression, tmp_path: Path) -> AsyncIterator[int]:
    """A REST door in front of an in-house runtime that has the model `iris`."""
    (tmp_path / "_python_models" / "iris").mkdir(parents=True)
    joblib.dump(classifier, tmp_path / "_python_models" / "iris" / "model.joblib")
    runtime = mesh.python_runtime(tmp_path, output=tmp_path / "runtime.log")
    async with (
        mesh.beside(runtime) as (_, grpc_port),
        grpc.aio.insecure_channel(f"{HOST}:{grpc_port}") as channel,
        rest_serving(ChannelCalls(channel), host=HOST, port=0) as port,
    ):
        yield port


async def test_tritonclient_works_unmodified(iris: int, classifier: LogisticRegression) -> None:
    async with rest_serving(ready_when(), host=HOST, port=0) as echo_port:
        told = json.loads(await said_by(sys.executable, str(CLIENT), f"{HOST}:{echo_port}", f"{HOST}:{iris}"))
    for form, same in told["echoes"].items():
        assert same == dict.fromkeys(same, True), form
    saw = told["iris"]
    assert (saw["live"], saw["ready"], saw["model_ready"], saw["id"]) == (True, True, True, "41")
    assert "binary_tensor_data" in saw["server"]
    assert saw["index"] == [{"name": "iris", "version": "", "state": "READY", "reason": ""}]
    assert saw["metadata"]["inputs"][0]["shape"] == [-1, 4]
    assert saw["predict"] == classifier.predict(ROWS).tolist()
    assert saw["unloaded"].startswith("[404]")
    assert saw["unknown"].startswith("[404]")
    assert "Not Found" in saw["no_path"]


async def test_v1_clients_are_answered(iris: int, classifier: LogisticRegression) -> None:
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{iris}") as client:
        await client.post("/v2/repository/models/iris/load")
        answer = await client.post("/v1/models/iris:predict", json={"instances": ROWS})
        assert (await client.get("/v1/models")).json() == {"models": ["iris"]}
        assert (await client.get("/v1/models/iris")).json() == {"name": "iris", "ready": True}
        unknown = await client.post("/v1/models/nobody:predict", json={"instances": ROWS})
    assert answer.json() == {"predictions": classifier.predict(ROWS).tolist()}
    assert unknown.status_code == 404
