import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.errors import RecordUnreadable
from adapter.domain.records import ModelInfo, ModelRecord
from adapter.registry.encoding import decode_model, encode_model

THEIRS = (
    b'{"type":"mt:onnx","mPath":"models/mnist","encKey":"{\\"bucket\\":\\"b1\\"}",'
    b'"instanceIds":{"bbd974-mk99v":1767225600000},"failedIn":{"87f6fc-6rwf9":1767225590000},'
    b'"fails":{"87f6fc-6rwf9":{"msg":"INTERNAL: bad file"}},"refs":1,"autoDel":true,"lu":1767225580000}'
)
"""A record of ModelMesh's (reference: ModelMesh core 3.12)."""


def decoded(value: bytes) -> ModelRecord:
    return decode_model("mm/registry/iris", value)


def a_record(**info: Any) -> ModelRecord:
    return ModelRecord(info=ModelInfo(**{"type": "t", **info}))


def test_a_record_of_modelmesh_is_read() -> None:
    record = decoded(THEIRS)
    assert record.info == ModelInfo(type="mt:onnx", path="models/mnist", key='{"bucket":"b1"}')
    assert record.last_used_ms == 1767225580000


def test_what_is_unknown_is_written_back() -> None:
    assert json.loads(encode_model(decoded(THEIRS))) == json.loads(THEIRS)


def test_what_is_as_by_default_is_left_out() -> None:
    record = ModelRecord(info=ModelInfo(type="t", path="p"), last_used_ms=7)
    assert encode_model(record) == b'{"type":"t","mPath":"p","lu":7}'
    assert encode_model(a_record()) == b'{"type":"t"}'


def test_an_absent_type_is_modelmeshs_first_one() -> None:
    assert decoded(b"{}").info == ModelInfo(type="NLCLASSIFIER")
    assert decoded(b'{"type":null,"mPath":null,"lu":null}') == decoded(b"{}")


def test_an_empty_type_is_not_taken_for_an_absent_one() -> None:
    assert decoded(encode_model(a_record(type=""))).info.type == ""


def test_the_transient_hint_is_dropped() -> None:
    assert decoded(b'{"type":"t","actionable":true,"more":1}').unknown == {"more": 1}


def test_a_known_field_wins_over_an_unknown_of_its_name() -> None:
    record = ModelRecord(info=ModelInfo(type="t"), unknown={"type": "other"})
    assert decoded(encode_model(record)).info.type == "t"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"{", "not JSON", id="cut off"),
        pytest.param(b"\xff\xfe\xff", "not JSON", id="not text"),
        pytest.param(b"[" * 100_000, "not JSON", id="too deep"),
        pytest.param(b"[]", "a JSON list instead of an object", id="a list"),
        pytest.param(b'{"type":1}', "field type is not a text", id="a type that is a number"),
        pytest.param(b'{"mPath":["p"]}', "field mPath is not a text", id="a path that is a list"),
        pytest.param(b'{"lu":"1"}', "field lu is not a whole number", id="a time that is a text"),
        pytest.param(b'{"lu":true}', "field lu is not a whole number", id="a time that is a truth"),
        pytest.param(b'{"lu":1.5}', "field lu is not a whole number", id="a broken time"),
    ],
)
def test_what_is_no_record_is_told_with_its_key(value: bytes, problem: str) -> None:
    with pytest.raises(RecordUnreadable, match=rf"mm/registry/iris .*{problem}.*register it again"):
        decoded(value)


@given(st.binary(max_size=60))
def test_whatever_stands_there_is_a_record_or_unreadable(value: bytes) -> None:
    try:
        record = decoded(value)
    except RecordUnreadable:
        return
    assert decoded(encode_model(record)) == record


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)
NEW_FIELDS = st.dictionaries(st.text().filter(lambda name: name not in {"actionable", "type"}), JSON)


@given(texts=st.tuples(st.text(), st.text(), st.text()), used_ms=st.integers(0, 2**53), unknown=NEW_FIELDS)
def test_what_is_written_is_read_again(
    texts: tuple[str, str, str], used_ms: int, unknown: dict[str, object]
) -> None:
    unknown = {name: value for name, value in unknown.items() if name not in {"mPath", "encKey", "lu"}}
    info = ModelInfo(type=texts[0], path=texts[1], key=texts[2])
    record = ModelRecord(info=info, last_used_ms=used_ms, unknown=unknown)
    assert decoded(encode_model(record)) == record
