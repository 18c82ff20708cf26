"""The judge is protobuf itself: what it reads before and after."""

from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.errors import InvalidRequest
from adapter.stubs.inference.open_inference_pb2 import ModelInferRequest, ModelReadyRequest
from adapter.stubs.mmesh.model_mesh_pb2 import RegisterModelRequest
from adapter.wire import splice
from adapter.wire.splice import delimited, find_string, located, replace_string

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def a_deep_message() -> type[Message]:
    """Deep { string name = 1; Deep inner = 2; int64 number = 20; repeated bytes blobs = 3000 }."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="deep.proto", package="deep", syntax="proto3")
    message = file.message_type.add(name="Deep")
    for name, number, kind in (("name", 1, field.TYPE_STRING), ("number", 20, field.TYPE_INT64)):
        message.field.add(name=name, number=number, label=field.LABEL_OPTIONAL, type=kind)
    message.field.add(name="blobs", number=3000, label=field.LABEL_REPEATED, type=field.TYPE_BYTES)
    inner = message.field.add(name="inner", number=2, label=field.LABEL_OPTIONAL, type=field.TYPE_MESSAGE)
    inner.type_name = ".deep.Deep"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("deep.Deep"))


Deep: Any = a_deep_message()

deep_messages: st.SearchStrategy[Any] = st.recursive(
    st.builds(
        Deep, name=names, number=st.integers(-(2**63), 2**63 - 1), blobs=st.lists(st.binary(max_size=9))
    ),
    lambda inner: st.builds(Deep, name=names, inner=inner, number=st.integers(-9, 9)),
    max_leaves=4,
)
encoded_pieces = st.lists(deep_messages.map(lambda deep: deep.SerializeToString()), max_size=4).map(b"".join)
"""Messages in pieces: repeated fields of every level, that a decoder merges."""


def name_in(message: bytes, depth: int) -> str:
    deep = Deep.FromString(message)
    for _ in range(depth):
        deep = deep.inner
    return str(deep.name)


@given(encoded_pieces, st.integers(0, 3))
def test_what_is_found_is_what_protobuf_reads(message: bytes, depth: int) -> None:
    assert (find_string(message, (2,) * depth + (1,)) or "") == name_in(message, depth)


@given(encoded_pieces, st.integers(0, 3), names)
def test_what_is_put_in_is_what_protobuf_reads_then_and_nothing_else_changes(
    message: bytes, depth: int, name: str
) -> None:
    changed = replace_string(message, (2,) * depth + (1,), name)
    assert name_in(changed, depth) == name
    expected = Deep.FromString(message)
    at = expected
    for _ in range(depth):
        at.inner.SetInParent()
        at = at.inner
    at.name = name
    assert Deep.FromString(changed) == expected


@given(st.binary(max_size=200), st.integers(1, 3))
def test_any_bytes_are_read_as_protobuf_reads_them_or_refused(message: bytes, depth: int) -> None:
    path = (2,) * depth + (1,)
    try:
        found = find_string(message, path)
        changed = replace_string(message, path, "iris")
    except InvalidRequest:
        return
    assert find_string(changed, path) == "iris"
    try:
        expected = name_in(message, depth)
    except DecodeError:
        return  # bad elsewhere than on the way to the name: the runtime will say so
    assert (found or "") == expected


def outcome(message: bytes | memoryview, number: int) -> tuple[object, ...]:
    """All that is found in a message, or the text of the error."""
    try:
        place = located(message, (number,))
        return (
            place and (place.value, place.length_at, place.end),
            find_string(message, (number,)),
            bytes(replace_string(message, (number,), "iris")),
        )
    except InvalidRequest as error:
        return (str(error),)


plain_fields = st.tuples(st.integers(1, 18), st.binary(max_size=200)).map(
    lambda field: splice._varint(field[0] << 3 | 2) + splice._varint(len(field[1])) + field[1]
)
odd_fields = st.sampled_from(
    [b"\x08\x96\x01", b"\x15abcd", b"\x0b\x0c", b"\x0a\x83\x00abc", b"\x8a\x00\x01x", b"\x02\x00"]
)
nearly_plain = st.tuples(
    st.lists(plain_fields | plain_fields | plain_fields | odd_fields, max_size=5).map(b"".join),
    st.integers(0, 3),
).map(lambda made: made[0][: len(made[0]) - made[1]])


@given(nearly_plain | st.binary(max_size=30), st.integers(1, 18))
def test_the_short_way_finds_what_the_long_way_finds(message: bytes, number: int) -> None:
    quick = outcome(message, number)
    assert outcome(memoryview(message), number) == quick
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splice, "_plain_span", lambda *_: None)
        assert outcome(message, number) == quick


def test_many_fields_are_walked_to_the_last() -> None:
    message = ModelReadyRequest(name="first").SerializeToString() * 200 + b"\x0a\x04last"
    assert find_string(message, (1,)) == "last"


def test_a_string_is_read_and_replaced_with_one_walk() -> None:
    message = ModelInferRequest(
        model_name="alias", id="7", raw_input_contents=[bytes(300)]
    ).SerializeToString()
    place = located(message, (1,))
    assert place is not None
    value = "n" * 200
    changed = message[: place.length_at] + delimited(value) + message[place.end :]
    assert (place.value, changed) == ("alias", replace_string(message, (1,), value))


def test_a_name_that_is_there_already_leaves_the_message_as_it_is() -> None:
    message = ModelReadyRequest(name="iris").SerializeToString()
    assert replace_string(message, (1,), "iris") is message


def test_a_large_message_keeps_its_tensors() -> None:
    request = ModelInferRequest(model_name="alias", raw_input_contents=[bytes(300_000)])
    changed = replace_string(request.SerializeToString(), (1,), "a-longer-name")
    request.model_name = "a-longer-name"
    assert ModelInferRequest.FromString(changed) == request


def test_a_missing_path_is_appended() -> None:
    changed = replace_string(b"", (2, 3), "key")
    assert RegisterModelRequest.FromString(changed).modelInfo.key == "key"


def test_a_field_of_another_wire_type_is_unknown_as_protobuf_has_it() -> None:
    message = b"\x08\x07"  # field 1 as a number
    assert find_string(message, (1,)) is None
    assert ModelReadyRequest.FromString(replace_string(message, (1,), "iris")).name == "iris"


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"\x0a", id="no length"),
        pytest.param(b"\x0a\x05ab", id="cut off"),
        pytest.param(b"\x0a\xff\xff\xff\xff\x0f", id="a length beyond the end"),
        pytest.param(b"\xff" * 11, id="an endless number"),
        pytest.param(b"\x0f", id="wire type 7"),
        pytest.param(b"\x0c", id="the end of no group"),
        pytest.param(b"\x0b\x08", id="a group that does not end"),
        pytest.param(b"\x0b\x14", id="the end of another group"),
        pytest.param(b"\x0b" * 200, id="groups in groups in groups"),
        pytest.param(b"\x02\x00", id="field number 0"),
        pytest.param(b"\x0d\x00", id="half a number of 32 bits"),
        pytest.param(b"\x0a\x02\xff\xfe", id="not UTF-8"),
    ],
)
def test_a_malformed_message_is_refused(message: bytes) -> None:
    with pytest.raises(InvalidRequest):
        find_string(message, (1,))


def test_groups_are_stepped_over() -> None:
    group = b"\x13\x08\x01\x1b\x1c\x22\x01x\x14"  # field 2: { 1: 1, 3: {}, 4: "x" }
    message = group + ModelReadyRequest(name="iris").SerializeToString()
    assert find_string(message, (1,)) == "iris"


def test_too_many_fields_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splice, "FIELDS_MAX", 10)
    with pytest.raises(InvalidRequest, match="more than 10 fields"):
        find_string(b"\x10\x00" * 11, (1,))
