import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.errors import Code
from adapter.http2.header_blocks import Field, FieldMemory, encode_fields
from adapter.http2.response_head import RESPONSE_FIELDS, ResponseHead, trailer_fields


def head(*pairs: tuple[bytes, bytes]) -> ResponseHead:
    return ResponseHead(FieldMemory().fields(encode_fields(pairs)))


def test_a_block_goes_on_as_it_came() -> None:
    block = b"\x88\x00\x01a\x01b"
    assert ResponseHead(FieldMemory().fields(b"\x20" + block)).block == block


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"0", Code.OK),
        (b"16", Code.UNAUTHENTICATED),
        (b"17", Code.UNKNOWN),
        (b"", Code.UNKNOWN),
        (b"-1", Code.UNKNOWN),
        (b"x", Code.UNKNOWN),
        (b"9" * 5000, Code.UNKNOWN),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_a_status_that_nobody_knows_is_unknown(value: bytes, code: Code) -> None:
    assert head((b"grpc-status", value)).grpc_status is code


def test_headers_without_a_status_do_not_end_the_call() -> None:
    assert head((b":status", b"200")).grpc_status is None


@pytest.mark.parametrize(("status", "informational"), [(b"100", True), (b"200", False), (b"503", False)])
def test_informational_headers_are_known(status: bytes, informational: bool) -> None:
    assert head((b":status", status)).informational is informational


@given(st.sampled_from(list(Code)), st.text(max_size=30))
def test_our_trailers_say_what_they_are_to_say(code: Code, text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    said = ResponseHead(FieldMemory().fields(trailer_fields(code, text)))
    assert (said.grpc_status, said.grpc_message) == (code, text)
    assert all(0x20 <= byte < 0x7F for field in said.fields for byte in field.value)


def test_a_message_that_is_no_utf8_is_read_as_far_as_it_can_be() -> None:
    assert head((b"grpc-message", b"a%ffb%2")).grpc_message == "a\ufffdb%2"


def test_trailers_have_metadata() -> None:
    fields = FieldMemory().fields(RESPONSE_FIELDS + trailer_fields(Code.OK, metadata=[("x-bin", b"\0")]))
    assert fields[-1][:2] == (b"x-bin", b"AA")
    assert Field(b":status", b"200", fields[0].raw) == fields[0]


def test_what_an_instance_says_to_another_does_not_go_on() -> None:
    fields = [(b":status", b"200"), (b"grpc-status", b"14"), (b"mm-refused", b"draining"), (b"x", b"y")]
    said = head(*fields)
    assert said.refused == "draining"
    assert said.block == encode_fields([pair for pair in fields if pair[0] != b"mm-refused"])


def test_only_an_answer_without_a_message_is_a_refusal() -> None:
    assert head((b"grpc-status", b"14"), (b"mm-refused", b"draining")).refused == ""
