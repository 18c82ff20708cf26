"""Whose call it is: names in headers and messages, several at once, and what the mesh answers itself."""

import base64
import gzip
import json
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from adapter.domain.errors import Code
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.stubs.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from adapter.stubs.mmesh import model_mesh_pb2 as mm
from adapter.stubs.mmesh.model_mesh_pb2_grpc import ModelMeshStub
from tests.integration import certificates
from tests.integration.clients import meshes
from tests.integration.clients.meshes import Door
from tests.integration.echo_runtime import Plan
from tests.integration.raw_http2 import Answer, Pair, RawClient, base64_of, grpc_message, rst_stream
from tests.integration.test_payload_sinks import Collector, collecting
from tests.integration.watched import (
    BIDI,
    INFER,
    SERVER_STREAM,
    TO_MODEL,
    UNARY,
    Watched,
    wait_until,
    watched,
)

SHORT, LONG = "s", "long-" * 40
ODD = "odd model/né"
SEEN = "seen"
"""Its calls are shown to a payload processor."""
METHODS = f"{INFER}=1;{UNARY}=;{SERVER_STREAM}=;{BIDI}=1,2"
"""Those that the runtime offers, and where it wants the model's name."""

Relayed = tuple[Door, RawClient]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Watched]:
    payloads = f"http://127.0.0.1:{collector.port}/seen?{SEEN}"
    folder = tmp_path_factory.mktemp("models") / "up"
    with watched(folder, "--methods", METHODS, MM_PAYLOAD_PROCESSORS=payloads) as running:
        for model in (SHORT, LONG, ODD, SEEN):
            meshes.register(running.door, model)
        with running.door.channel() as channel:
            ModelMeshStub(channel).setVModel(mm.SetVModelRequest(vModelId=ODD, targetModelId=ODD))
        yield running


@pytest.fixture
def client(up: Watched) -> Iterator[RawClient]:
    with up.connect() as connected:
        yield connected


@pytest.fixture
def channel(up: Watched) -> Iterator[grpc.Channel]:
    with up.door.channel() as opened:
        yield opened


def call_id(metadata: Iterable[Pair]) -> list[Pair]:
    return [*metadata, ("echo-call", f"{time.monotonic_ns()}")]


def models_asked(up: Watched, metadata: Sequence[Pair]) -> list[tuple[str, str]]:
    """What the runtime was told of the model, by the `echo-call` of the call."""
    name = dict(metadata)["echo-call"]
    return [pair for pair in up.runtime.seen(name).metadata if pair[0].startswith("mm-")]


def infer(model: str, payload: bytes = b"payload") -> bytes:
    return v2.ModelInferRequest(model_name=model, id="1", raw_input_contents=[payload]).SerializeToString()


def inferred(answer: Answer) -> v2.ModelInferResponse:
    assert answer.status == Code.OK, answer
    return v2.ModelInferResponse.FromString(bytes(answer.data[5:]))


# One name.


@pytest.mark.parametrize("model", [SHORT, LONG, ODD, "echo"], ids=["short", "long", "odd", "plain"])
def test_the_name_in_the_message(up: Watched, client: RawClient, model: str) -> None:
    metadata = call_id([])
    answer = client.answer(client.call(INFER, infer(model), metadata))
    assert inferred(answer).model_name == model
    told = dict(models_asked(up, metadata))
    assert bytes.fromhex(told["mm-model-id-bin"]).decode() == model
    assert told.get("mm-model-id", model) == model


@pytest.mark.parametrize("key", ["mm-model-id-bin", "mm-vmodel-id-bin"])
def test_a_name_beyond_ascii_in_a_binary_header(client: RawClient, key: str) -> None:
    answer = client.answer(client.call(UNARY, b"x", [(key, base64_of(ODD.encode()))]))
    assert answer.data == grpc_message(b"x")


@pytest.mark.parametrize(("in_message", "in_header"), [(LONG, SHORT), (SHORT, LONG), ("nobody", ODD)])
def test_the_name_in_the_headers_comes_first_and_is_put_into_the_message(
    client: RawClient, in_message: str, in_header: str
) -> None:
    metadata = [("mm-model-id-bin", base64_of(in_header.encode()))]
    response = inferred(client.answer(client.call(INFER, infer(in_message), metadata)))
    assert (response.model_name, response.raw_output_contents[:]) == (in_header, [b"payload"])


def test_a_name_that_is_missing_is_put_in(client: RawClient) -> None:
    message = v2.ModelInferRequest(raw_input_contents=[b"x"]).SerializeToString()
    assert inferred(client.answer(client.call(INFER, message, TO_MODEL))).model_name == "echo"


@pytest.mark.parametrize("frame_bytes", [1, 7, 100])
def test_a_message_in_tiny_pieces(client: RawClient, frame_bytes: int) -> None:
    stream = client.begin(INFER)
    client.data(stream, grpc_message(infer(LONG)), end=True, frame_bytes=frame_bytes)
    assert inferred(client.answer(stream)).model_name == LONG


def test_a_name_is_put_into_a_message_within_the_message(client: RawClient) -> None:
    stream = client.begin(BIDI, TO_MODEL)
    for message in (b"", b"\x0a\x03\x0a\x01x"):
        client.data(stream, grpc_message(message))
    client.data(stream, grpc_message(b"the last"), end=True)
    # Only the first one is changed.
    first = b"\x0a\x06\x12\x04echo"
    others = grpc_message(b"\x0a\x03\x0a\x01x") + grpc_message(b"the last")
    assert client.answer(stream).data == grpc_message(first) + others


def test_a_large_message_whose_name_comes_last(client: RawClient) -> None:
    """Protobuf lets fields stand in any order."""
    tensor = v2.ModelInferRequest(raw_input_contents=[bytes(1_000_000)]).SerializeToString()
    message = tensor + v2.ModelInferRequest(model_name=LONG).SerializeToString()
    stream = client.begin(INFER, [("mm-model-id", SHORT)])
    client.upload(stream, grpc_message(message))
    response = inferred(client.answer(stream))
    assert response.model_name == SHORT
    assert len(response.raw_output_contents[0]) == 1_000_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("metadata", [[], TO_MODEL], ids=["read", "changed"])
def test_a_compressed_message(client: RawClient, encoding: str, metadata: list[Pair]) -> None:
    packed = gzip.compress(infer(LONG)) if encoding == "gzip" else zlib.compress(infer(LONG))
    stream = client.begin(INFER, [*metadata, ("grpc-encoding", encoding)])
    client.data(stream, grpc_message(packed, flag=1), end=True)
    assert inferred(client.answer(stream)).model_name == ("echo" if metadata else LONG)


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ([("mm-model-id", "a"), ("mm-vmodel-id", "a")], "only one of model id and vmodel id"),
        ([("mm-model-id-bin", "YQ=="), ("mm-vmodel-id-bin", "YQ==")], "only one of model id and vmodel id"),
        ([("mm-model-id", "")], "must be non-empty"),
        ([("mm-model-id-bin", "/w==")], "UTF-8"),
    ],
    ids=["both kinds", "both kinds, binary", "empty", "not UTF-8"],
)
def test_headers_that_name_no_model(client: RawClient, metadata: list[Pair], text: str) -> None:
    answer = client.answer(client.call(UNARY, b"x", metadata))
    assert answer.status == Code.INVALID_ARGUMENT
    assert text in answer.said


# Several names.


def test_several_models_answer_in_their_order(up: Watched, client: RawClient) -> None:
    metadata = [("mm-model-id", LONG), ("mm-model-id", SHORT), ("mm-model-id", "echo")]
    response = inferred(client.answer(client.call(INFER, infer("nobody", b"y"), metadata)))
    # Encoded messages one after the other are their merge: the last name, and all outputs.
    assert (response.model_name, response.raw_output_contents[:]) == ("echo", [b"y"] * 3)


def test_of_several_models_those_that_are_there_answer(client: RawClient) -> None:
    metadata = [("mm-model-id", "nobody"), ("mm-model-id", SHORT)]
    assert inferred(client.answer(client.call(INFER, infer(""), metadata))).model_name == SHORT
    none = client.answer(client.call(INFER, infer(""), [("mm-model-id", "nobody"), ("mm-model-id", "none")]))
    assert none.status == Code.NOT_FOUND


def test_of_several_models_all_may_be_required(client: RawClient) -> None:
    metadata = [("mm-model-id", "nobody"), ("mm-model-id", SHORT), ("mm-required", "all")]
    answer = client.answer(client.call(INFER, infer(""), metadata))
    assert answer.status == Code.NOT_FOUND
    assert "nobody" in answer.said


def test_the_error_of_one_of_several_models_is_the_answer(client: RawClient) -> None:
    plan = Plan(code=9, details="not so")
    metadata = [("mm-model-id", LONG), ("mm-model-id", SHORT), ("echo-plan", str(plan))]
    answer = client.answer(client.call(INFER, infer(""), metadata))
    assert (answer.status, answer.said) == (Code.FAILED_PRECONDITION, "not so")


def test_several_models_and_a_stream_of_answers_do_not_go_together(up: Watched, client: RawClient) -> None:
    """And nothing piles up: a response is one message, and has a limit."""
    plan = Plan(responses=100, size=1 << 20)
    metadata = [("mm-model-id", LONG), ("mm-model-id", SHORT), ("echo-plan", str(plan))]
    answer = client.answer(client.call(SERVER_STREAM, b"x", metadata))
    assert answer.status in {Code.INTERNAL, Code.RESOURCE_EXHAUSTED}
    assert not answer.data


def test_responses_of_several_models_have_a_limit_together(client: RawClient) -> None:
    plan = Plan(size=10 << 20)
    metadata = [("mm-model-id", LONG), ("mm-model-id", SHORT), ("echo-plan", str(plan))]
    answer = client.answer(client.call(UNARY, b"x", metadata))
    assert answer.status == Code.RESOURCE_EXHAUSTED
    assert not answer.data


def test_a_bad_header_among_several_models_harms_nobody(up: Watched, client: RawClient) -> None:
    """Of no concern to us, and answered as the runtime would."""
    seen = ("mm-model-id", SEEN)
    for metadata in ([seen, ("x-bin", "a")], [seen, *TO_MODEL, ("x-bin", "a")]):
        assert client.answer(client.call(UNARY, b"x", metadata)).is_complete
    deadline = [seen, ("x-bin", "a"), ("grpc-timeout", "50m"), ("echo-plan", str(Plan(delay_ms=5000)))]
    assert client.answer(client.call(UNARY, b"x", deadline)).is_complete
    assert client.answer(client.call(UNARY, b"x", TO_MODEL)).status == Code.OK
    assert "unforeseen" not in up.door.process.said
    assert "Traceback" not in up.door.process.said


# What the mesh answers itself.


def test_the_server_speaks_for_itself_without_a_model(channel: grpc.Channel) -> None:
    stub = GRPCInferenceServiceStub(channel)
    assert stub.ServerLive(v2.ServerLiveRequest(), timeout=5).live
    assert stub.ServerReady(v2.ServerReadyRequest(), timeout=5).ready
    assert stub.ServerMetadata(v2.ServerMetadataRequest(), timeout=5).name == "remesh"


def test_health_and_reflection_are_offered(channel: grpc.Channel) -> None:
    check: grpc.UnaryUnaryMultiCallable[Any, Any] = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    for service in ("", "mmesh.ModelMesh"):
        asked = check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        assert asked.status == health_pb2.HealthCheckResponse.SERVING
    services = ProtoReflectionDescriptorDatabase(channel).get_services()
    assert {"mmesh.ModelMesh", "inference.GRPCInferenceService", "grpc.health.v1.Health"} <= set(services)


def test_the_repository_is_the_mesh(up: Watched, channel: grpc.Channel) -> None:
    stub, mesh = GRPCInferenceServiceStub(channel), ModelMeshStub(channel)
    info = mm.ModelInfo(type="rt:echo", path="anywhere")
    mesh.registerModel(mm.RegisterModelRequest(modelId="later", modelInfo=info), timeout=5)

    def state(name: str) -> str:
        index = stub.RepositoryIndex(v2.RepositoryIndexRequest(), timeout=5)
        return next(model.state for model in index.models if model.name == name)

    assert state("later") == "UNAVAILABLE"
    assert stub.ModelReady(v2.ModelReadyRequest(name="later"), timeout=5).ready
    assert state("later") == "UNAVAILABLE"  # to be asked whether it is ready does not load it
    stub.RepositoryModelLoad(v2.RepositoryModelLoadRequest(model_name="later"), timeout=5)
    assert state("later") == "READY"
    stub.RepositoryModelUnload(v2.RepositoryModelUnloadRequest(model_name="later"), timeout=5)
    wait_until(lambda: state("later") == "UNAVAILABLE", lambda: "it is still loaded")
    mesh.unregisterModel(mm.UnregisterModelRequest(modelId="later"), timeout=5)


def test_what_the_mesh_does_not_find_is_not_asked_for_again(up: Watched, channel: grpc.Channel) -> None:
    before = up.figure("remesh_relay_retries_total", cause="copy_lost")
    with pytest.raises(grpc.RpcError) as refused:
        GRPCInferenceServiceStub(channel).RepositoryModelLoad(
            v2.RepositoryModelLoadRequest(model_name="nobody"), timeout=5
        )
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert up.figure("remesh_relay_retries_total", cause="copy_lost") == before


# What else sees a call, and who waits for it.


def test_payload_processors_see_request_and_response(client: RawClient, collector: Collector) -> None:
    data = base64.b64encode(b"look at me").decode()
    client.answer(client.call(UNARY, b"look at me", [("mm-model-id", SEEN), ("x-more", "told")]))

    def seen() -> list[dict[str, Any]]:
        return [document for _, _, document in collector.posts if document["data"] == data]

    wait_until(lambda: len(seen()) == 2, lambda: f"{len(seen())} came")
    request, response = seen()
    assert (request["kind"], request["modelid"], request["metadata"]["x-more"]) == ("request", SEEN, "told")
    assert (response["kind"], response["status"], response["id"]) == ("response", "OK", request["id"])


def test_a_cancelled_call_frees_the_load_that_nobody_waits_for(up: Watched, client: RawClient) -> None:
    """The first load keeps the runtime's only slot busy; the second is given up before it begins."""
    with up.door.channel() as channel:
        mesh = ModelMeshStub(channel)
        for number in range(12):
            info = mm.ModelInfo(type="rt:echo", path="SIZE_1000_700_0")
            mesh.registerModel(mm.RegisterModelRequest(modelId=f"slow-{number}", modelInfo=info), timeout=5)
    calls = [client.call(UNARY, b"x", [("mm-model-id", f"slow-{number}")]) for number in range(12)]
    wait_until(lambda: up.figure("remesh_relay_waiting_calls") == 12, lambda: "the calls do not wait")
    for call in calls[1:]:
        client.send(rst_stream(call))
    assert client.answer(calls[0]).status == Code.OK
    wait_until(lambda: up.figure("remesh_relay_waiting_calls") == 0, lambda: "calls still wait")
    loaded = {line["model"] for line in up.door.process.lines("model loaded")}
    given_up = {f"slow-{number}" for number in range(1, 12)} - loaded
    assert len(given_up) >= 6  # no more than six load at once


# The data plane's configuration.


@contextmanager
def relayed(folder: Path, **env: str) -> Iterator[Relayed]:
    """Without a witness: its calls may not be allowed."""
    folders = [folder / name for name in ("certificates", "runtime")]
    for each in folders:
        each.mkdir()
    made = certificates.make(folders[0])
    with (
        meshes.echo_runtime(folders[1], made) as runtime,
        meshes.relay(folder / "instance", runtime, made, MM_METRICS="disabled", **env) as door,
        RawClient(door.port) as client,
    ):
        yield door, client


def test_the_configuration_is_read_again(tmp_path: Path) -> None:
    """As Kubernetes mounts a ConfigMap: a link that is swapped."""
    (tmp_path / "map").mkdir()

    def write(version: str, rpcs: dict[str, object]) -> None:
        (tmp_path / "map" / version).mkdir()
        text = json.dumps({"rpcConfigs": rpcs})
        (tmp_path / "map" / version / "dataplane.json").write_text(text)
        (tmp_path / "map" / "..data_tmp").symlink_to(version)
        (tmp_path / "map" / "..data_tmp").rename(tmp_path / "map" / "..data")

    write("..1", {UNARY: {"idExtractionPath": [1]}})
    (tmp_path / "map" / "dataplane.json").symlink_to("..data/dataplane.json")
    env = {"MM_DATAPLANE_CONFIG_PATH": str(tmp_path / "map" / "dataplane.json")}
    with relayed(tmp_path, **env) as (door, client):
        named = v2.ModelInferRequest(model_name="echo").SerializeToString()
        deep = b"\x12" + bytes([len(named)]) + named

        def statuses() -> tuple[int | None, int | None]:
            answers = [client.answer(client.call(rpc, deep)) for rpc in (UNARY, INFER)]
            return answers[0].status, answers[1].status

        assert statuses() == (Code.INVALID_ARGUMENT, Code.UNIMPLEMENTED)
        write("..2", {UNARY: {"idExtractionPath": [2, 1]}, INFER: {"idExtractionPath": [2, 1]}})
        wait_until(lambda: statuses()[0] == Code.OK, lambda: f"the answers are {statuses()}")
        assert statuses()[1] != Code.UNIMPLEMENTED
        write("..3", {"nonsense": {}})  # the old one stays
        wait_until(lambda: "stays as it was" in door.process.said, lambda: "nobody complains")
        assert statuses()[0] == Code.OK
