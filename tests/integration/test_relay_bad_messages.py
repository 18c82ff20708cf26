"""Messages on port 8033 that are none, or too large, get the status that gRPC has for it."""

import gzip
import zlib
from collections.abc import Iterator

import pytest

from adapter.domain.errors import Code
from adapter.stubs.inference import open_inference_pb2 as v2
from tests.integration.echo_runtime import Plan
from tests.integration.raw_http2 import END_HEADERS, END_STREAM, HEADERS, Pair, frame, grpc_message
from tests.integration.watched import INFER, MIB, TO_MODEL, UNARY, Watched, watched

MESSAGE_BYTES_MAX = 4 * MIB


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    limits = {"MM_SVC_GRPC_MAX_MSG_SIZE": str(MESSAGE_BYTES_MAX)}
    with watched(tmp_path_factory.mktemp("bad-messages") / "up", **limits) as running:
        yield running


@pytest.fixture(autouse=True)
def nobody_is_disturbed(up: Watched) -> Iterator[None]:
    up.witness.forget()
    yield
    up.comes_to_rest()
    up.witness.was_not_disturbed()
    assert "unforeseen" not in up.door.process.said


def bomb() -> bytes:
    machine = zlib.compressobj(9, wbits=31)
    return machine.compress(b"\0" * (32 * MIB)) + machine.flush()


UNREADABLE = v2.ModelInferRequest(model_name="echo").SerializeToString() + b"\x0a\x7f"
GZIP: Pair = ("grpc-encoding", "gzip")

BAD_MESSAGES: dict[str, tuple[str, list[Pair], bytes, Code, str]] = {
    "a flag of 7": (UNARY, TO_MODEL, grpc_message(b"x", flag=7), Code.INTERNAL, "neither 0 nor 1"),
    "the end within a message": (UNARY, TO_MODEL, grpc_message(b"x" * 9)[:-1], Code.INTERNAL, "within"),
    "the end within the prefix": (UNARY, TO_MODEL, b"\0\0\0", Code.INTERNAL, "within"),
    "no message where it names the model": (INFER, [], b"", Code.INTERNAL, "half-closed without a request"),
    "a message that cannot be read": (
        INFER,
        [],
        grpc_message(UNREADABLE),
        Code.INVALID_ARGUMENT,
        "cannot be",
    ),
    "a field number of 0": (INFER, [], grpc_message(b"\x02\x01x"), Code.INVALID_ARGUMENT, "field number"),
    "a name that is not UTF-8": (
        INFER,
        [],
        grpc_message(b"\x0a\x02\xff\xfe"),
        Code.INVALID_ARGUMENT,
        "UTF-8",
    ),
    "an empty name": (INFER, [], grpc_message(b"\x0a\0"), Code.INVALID_ARGUMENT, "non-empty"),
    "no name": (INFER, [], grpc_message(b""), Code.INVALID_ARGUMENT, "mm-model-id"),
    "two kinds of name": (
        UNARY,
        [*TO_MODEL, ("mm-vmodel-id", "echo")],
        grpc_message(b"x"),
        Code.INVALID_ARGUMENT,
        "only one",
    ),
    "a name that is no base64": (
        UNARY,
        [("mm-model-id-bin", "a")],
        grpc_message(b"x"),
        Code.INVALID_ARGUMENT,
        "base64",
    ),
    "a compression that nobody knows": (
        INFER,
        [("grpc-encoding", "zstd")],
        grpc_message(b"x", flag=1),
        Code.UNIMPLEMENTED,
        "zstd",
    ),
    "a compression that is not named": (
        INFER,
        [],
        grpc_message(b"x", flag=1),
        Code.INTERNAL,
        "grpc-encoding",
    ),
    "no gzip in gzip": (INFER, [GZIP], grpc_message(b"x", flag=1), Code.INTERNAL, "gzip"),
    "gzip that is cut off": (
        INFER,
        [GZIP],
        grpc_message(gzip.compress(b"x" * 100)[:-9], flag=1),
        Code.INTERNAL,
        "cut off",
    ),
    "a bomb of gzip": (
        INFER,
        [GZIP],
        grpc_message(bomb(), flag=1),
        Code.RESOURCE_EXHAUSTED,
        "larger than max",
    ),
    "a method of the SPI": (
        "mmesh.ModelRuntime/unloadModel",
        TO_MODEL,
        grpc_message(b""),
        Code.UNIMPLEMENTED,
        "not permitted",
    ),
    "a timeout that cannot be read": (
        UNARY,
        [*TO_MODEL, ("grpc-timeout", "soon")],
        grpc_message(b"x"),
        Code.DEADLINE_EXCEEDED,
        "deadline",
    ),
}


@pytest.mark.parametrize("name", BAD_MESSAGES)
def test_a_bad_message_gets_a_status(up: Watched, name: str) -> None:
    rpc, metadata, sent, code, text = BAD_MESSAGES[name]
    with up.connect() as client:
        stream = client.begin(rpc, metadata)
        client.data(stream, sent, end=True)
        answer = client.answer(stream)
        assert (answer.headers[":status"], answer.status) == ("200", code), answer
        assert text in answer.said
        if code is Code.UNIMPLEMENTED and metadata != TO_MODEL:
            assert answer.headers["grpc-accept-encoding"] == "identity,gzip,deflate"
        client.sync()


def test_a_message_over_the_limit_is_refused_at_its_prefix(up: Watched) -> None:
    size = MESSAGE_BYTES_MAX + 1
    with up.connect() as client:
        stream = client.begin(UNARY, TO_MODEL)
        client.data(stream, b"\0" + size.to_bytes(4, "big"))
        answer = client.answer(stream)
    assert answer.status == Code.RESOURCE_EXHAUSTED
    assert answer.said == f"Received message larger than max ({size} vs. {MESSAGE_BYTES_MAX})"


def test_a_message_at_the_limit_goes_both_ways(up: Watched) -> None:
    message = bytes(range(256)) * (MESSAGE_BYTES_MAX // 256)
    with up.connect() as client:
        stream = client.begin(UNARY, TO_MODEL)
        client.upload(stream, grpc_message(message))
        assert client.answer(stream).data == grpc_message(message)


def test_a_response_over_the_limit_is_refused_before_any_of_it(up: Watched) -> None:
    plan = Plan(size=MESSAGE_BYTES_MAX + 1)
    with up.connect() as client:
        answer = client.answer(client.call(UNARY, b"x", [*TO_MODEL, ("echo-plan", str(plan))]))
    assert answer.status == Code.RESOURCE_EXHAUSTED
    assert not answer.data
    assert f"({plan.size} vs. {MESSAGE_BYTES_MAX})" in answer.said


@pytest.mark.parametrize(
    ("method", "path", "kind", "status"),
    [
        ("GET", "/", "text/html", "200"),
        ("GET", "/favicon.ico", "text/html", "404"),
        ("POST", "/a.B/C", "application/json", "415"),
        ("POST", "/a.B/C", "application/grpc-web", "415"),
    ],
)
def test_what_is_no_grpc_gets_a_page(up: Watched, method: str, path: str, kind: str, status: str) -> None:
    head = [(":method", method), (":scheme", "http"), (":path", path), ("content-type", kind)]
    with up.connect() as client:
        stream = client.next_stream()
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, client.block(head)))
        answer = client.answer(stream)
    assert answer.headers[":status"] == status
    assert len(answer.data) == int(answer.headers["content-length"])
