import pytest

from adapter.domain.errors import InvalidRequest
from adapter.servers.calls import Answer
from adapter.servers.rest_headers import RequestHeaders, answer_headers, read_headers
from adapter.wire.headers import Pair


def read(**headers: bytes) -> RequestHeaders:
    return read_headers([(name.replace("_", "-").encode(), value) for name, value in headers.items()])


@pytest.mark.parametrize(
    ("header", "metadata"),
    [
        ({"grpc_metadata_mm_vmodel_id": b"x"}, [("mm-vmodel-id", "x")]),
        ({"grpc_metadata_trace_bin": b"AAE"}, [("trace-bin", b"\x00\x01")]),
        ({"mm_model_id": b"m"}, [("mm-model-id", "m")]),
        ({"mm_vmodel_id_bin": b"w7Y="}, [("mm-vmodel-id-bin", "ö".encode())]),
        ({"traceparent": b"00-1-2-01"}, [("traceparent", "00-1-2-01")]),
        ({"x_request_id": b"7"}, [("x-request-id", "7")]),
        (
            {"authorization": b"Bearer t"},
            [("authorization", "Bearer t"), ("grpcgateway-authorization", "Bearer t")],
        ),
        ({"cookie": b"a=b", "user_agent": b"curl", "accept": b"*/*"}, []),
        ({"grpc_metadata_grpc_timeout": b"1S", "grpc_metadata_te": b"x"}, []),
        ({"grpc_metadata_keep_alive": b"x", "grpc_metadata_upgrade": b"x"}, []),
    ],
    ids=[
        "metadata",
        "binary",
        "a model",
        "a binary alias",
        "a trace",
        "an id",
        "credentials",
        "others",
        "reserved",
        "of a connection",
    ],
)
def test_some_headers_go_on_with_the_call(header: dict[str, bytes], metadata: list[Pair]) -> None:
    assert read(**header).metadata == metadata


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ({"grpc_metadata_": b"x"}, "gRPC metadata key"),
        ({"grpc_metadata_a!b": b"x"}, "gRPC metadata key"),
        ({"grpc_metadata_a_bin": b"?"}, "must be base64"),
        ({"mm_model_id": "ö".encode()}, "printable ASCII"),
    ],
    ids=["no key", "no legal key", "no base64", "no ASCII"],
)
def test_what_cannot_be_metadata_is_refused(header: dict[str, bytes], text: str) -> None:
    with pytest.raises(InvalidRequest, match=text):
        _ = read(**header).metadata


@pytest.mark.parametrize(
    ("text", "timeout_s"),
    [(b"5S", 5.0), (b"2H", 7200.0), (b"1M", 60.0), (b"250m", 0.25), (b"7u", 7e-6), (b"9n", 9e-9)],
)
def test_the_timeout_has_grpcs_units(text: bytes, timeout_s: float) -> None:
    assert read(grpc_timeout=text).timeout_s == pytest.approx(timeout_s)


@pytest.mark.parametrize("text", [b"", b"5", b"S", b"5s", b"-5S", b"1.5S", b"9" * 30 + b"S"])
def test_another_timeout_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidRequest, match="Grpc-Timeout"):
        _ = read(grpc_timeout=text).timeout_s


def test_lengths_are_numbers() -> None:
    headers = read(content_length=b"12", inference_header_content_length=b"7")
    assert (headers.body_bytes, headers.json_bytes) == (12, 7)
    assert (read().body_bytes, read().json_bytes, read().timeout_s) == (None, None, None)
    with pytest.raises(InvalidRequest, match="Inference-Header-Content-Length"):
        _ = read(inference_header_content_length=b"-7").json_bytes


def test_metadata_come_back_as_headers() -> None:
    answer = Answer(
        initial=[("x", "1"), ("b-bin", b"\x00\x01"), ("content-type", "application/grpc")],
        trailing=[("y", "2"), ("grpc-status-details-bin", b"z"), ("evil", "a\r\nb: c")],
    )
    assert answer_headers(answer) == [
        (b"grpc-metadata-x", b"1"),
        (b"grpc-metadata-b-bin", b"AAE"),
        (b"grpc-trailer-y", b"2"),
    ]


def test_keys_that_no_header_may_have_do_not_come_back() -> None:
    answer = Answer(initial=[("a b", "x"), ("ä", "x"), ("ok", "x")], message=b"")
    assert answer_headers(answer) == [(b"grpc-metadata-ok", b"x")]
