import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.errors import RecordUnreadable
from adapter.domain.records import (
    CopyRecord,
    CopyRules,
    CopyState,
    InstanceRecord,
    ModelInfo,
    ModelRecord,
    VModelRecord,
)
from adapter.registry.encoding import (
    SIZE_UNIT_BYTES,
    decode_copy,
    decode_instance,
    decode_model,
    decode_vmodel,
    decode_wanted,
    encode_copy,
    encode_instance,
    encode_model,
    encode_vmodel,
    encode_wanted,
)

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
    assert (record.references, record.auto_delete) == (1, True)


def test_what_modelmesh_knows_of_its_copies_is_kept() -> None:
    assert set(decoded(THEIRS).unknown) == {"instanceIds", "failedIn", "fails"}


def test_what_is_unknown_is_written_back() -> None:
    assert json.loads(encode_model(decoded(THEIRS))) == json.loads(THEIRS)


def test_what_is_as_by_default_is_left_out() -> None:
    record = ModelRecord(info=ModelInfo(type="t", path="p"), last_used_ms=7)
    assert encode_model(record) == b'{"type":"t","mPath":"p","lu":7}'
    assert encode_model(a_record()) == b'{"type":"t"}'


def test_our_rules_of_copies_stand_beside() -> None:
    rules = CopyRules(copies_min=2, copies_max=3, pinned=True)
    value = encode_model(ModelRecord(info=ModelInfo(type="t"), rules=rules))
    assert value == b'{"type":"t","minCopies":2,"maxCopies":3,"pin":true}'


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
        pytest.param(b"[]", "a JSON list instead of an object", id="a list"),
        pytest.param(b'{"type":1}', "field type is not a text", id="a type that is a number"),
        pytest.param(b'{"mPath":["p"]}', "field mPath is not a text", id="a path that is a list"),
        pytest.param(b'{"lu":"1"}', "field lu is not a whole number", id="a time that is a text"),
        pytest.param(b'{"maxCopies":-1}', "field maxCopies is negative", id="a negative bound"),
    ],
)
def test_what_is_no_record_is_told_with_its_key(value: bytes, problem: str) -> None:
    with pytest.raises(RecordUnreadable, match=rf"mm/registry/iris .*{problem}.*register it again"):
        decoded(value)


# VModels.

ALIAS = b'{"o":"ksp","amid":"mnist__ksp-a1b2c3d4e5","tmid":"mnist__ksp-ffee001122","failed":true}'
"""A record of ModelMesh's (reference: ModelMesh core 3.12)."""


def alias(value: bytes) -> VModelRecord:
    return decode_vmodel("mm/vmodels/iris", value)


def test_an_alias_of_modelmesh_is_read_and_written_as_it_was() -> None:
    record = VModelRecord(
        active="mnist__ksp-a1b2c3d4e5", target="mnist__ksp-ffee001122", owner="ksp", failed=True
    )
    assert alias(ALIAS) == record
    assert json.loads(encode_vmodel(record)) == json.loads(ALIAS)


def test_an_alias_without_a_target_is_at_its_active_model() -> None:
    assert alias(b'{"amid":"a"}') == VModelRecord(active="a", target="a")


def test_our_canary_and_shadow_stand_beside() -> None:
    record = VModelRecord(active="a", target="a", canary="b", canary_percent=5, shadow="c")
    assert json.loads(encode_vmodel(record)) == {
        "amid": "a",
        "tmid": "a",
        "canary": {"b": 5},
        "shadow": "c",
    }


def test_several_canaries_are_a_newer_writers_and_are_kept() -> None:
    record = alias(b'{"amid":"a","canary":{"b":5,"c":6}}')
    assert (record.canary, record.unknown) == ("", {"canary": {"b": 5, "c": 6}})
    assert json.loads(encode_vmodel(record))["canary"] == {"b": 5, "c": 6}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param(b"{", "not JSON", id="cut off"),
        pytest.param(b"{}", "field amid names no model", id="no model"),
        pytest.param(b'{"amid":"a","canary":"b"}', "field canary is not an object", id="a text"),
        pytest.param(b'{"amid":"a","canary":{"b":101}}', "no whole percentage", id="too much"),
        pytest.param(b'{"amid":"a","canary":{"b":true}}', "no whole percentage", id="a truth"),
    ],
)
def test_what_is_no_alias_is_told_with_its_key(value: bytes, problem: str) -> None:
    with pytest.raises(RecordUnreadable, match=rf"mm/vmodels/iris .*{problem}.*set it again"):
        alias(value)


# Instances.

AN_INSTANCE = InstanceRecord(
    boot="b",
    address="10.0.0.7:8080",
    started_ms=1767220000000,
    version="20250101-1",
    location="10.0.0.7",
    zone="z",
    labels=("mt:onnx", "rt:x"),
    capacity_bytes=121472 * 8192,
    used_bytes=40960 * 8192,
    copies=4,
    coldest_ms=1767222000000,
    loading_slots=6,
    rpm=120,
    draining=True,
    endpoints={"grpc": "10.0.0.7:8033"},
)


def instance(value: bytes) -> InstanceRecord | None:
    return decode_instance("mm/instances/a", value)


def test_an_instance_has_modelmeshs_fields_and_units() -> None:
    assert json.loads(encode_instance(AN_INSTANCE)) == {
        "peer": "10.0.0.7:8080",
        "boot": "b",
        "startTime": 1767220000000,
        "version": "20250101-1",
        "loc": "10.0.0.7",
        "zone": "z",
        "labels": ["mt:onnx", "rt:x"],
        "lruTime": 1767222000000,
        "count": 4,
        "cap": 121472,
        "used": 40960,
        "lThreads": 6,
        "rpm": 120,
        "shutdown": True,
        "endpoints": {"grpc": "10.0.0.7:8033"},
    }


def test_an_empty_instance_has_no_coldest_copy() -> None:
    value = encode_instance(InstanceRecord(boot="b", address="h:1", started_ms=0))
    assert json.loads(value)["lruTime"] == 9223372036854775807
    assert instance(value) == InstanceRecord(boot="b", address="h:1", started_ms=0)


def test_sizes_are_rounded_so_that_nothing_is_promised_that_is_not_there() -> None:
    record = InstanceRecord(boot="b", address="h:1", started_ms=0, capacity_bytes=10_000, used_bytes=10_000)
    again = instance(encode_instance(record))
    assert again is not None
    assert (again.capacity_bytes, again.used_bytes) == (8192, 16384)


def test_an_instance_of_modelmeshs_is_none_of_ours() -> None:
    theirs = (
        b'{"startTime":1767220000000,"loc":"10.0.0.7","labels":["mt:onnx","pv:grpc-v2","rt:triton-2.x"],'
        b'"lruTime":1767222000000,"count":4,"cap":121472,"used":40960,"lThreads":6,"rpm":120}'
    )
    assert instance(theirs) is None


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b'{"peer":"h:1","cap":-1}', "field cap is negative", id="a negative room"),
        pytest.param(b'{"peer":"h:1","endpoints":{"a":1}}', "not a text", id="an address that is none"),
    ],
)
def test_what_is_no_instance_is_told_with_its_key(value: bytes, problem: str) -> None:
    with pytest.raises(RecordUnreadable, match=rf"mm/instances/a .*{problem}.*passed over"):
        instance(value)


# Copies.


def a_copy(value: bytes) -> CopyRecord:
    return decode_copy("mm/copies/iris/a", value)


def test_a_copy_is_small() -> None:
    record = CopyRecord(state=CopyState.LOADED, since_ms=1767220000000, size_bytes=4096, load_s=0.25)
    assert encode_copy(record) == b'{"s":"loaded","t":1767220000000,"b":4096,"l":0.25}'


def test_a_failed_copy_says_why_and_until_when() -> None:
    record = CopyRecord(
        state=CopyState.FAILED,
        since_ms=7,
        failure="DATA_LOSS: \udcff is no text",
        until_ms=9,
        everywhere=True,
        crashes=2,
    )
    assert json.loads(encode_copy(record)) == {
        "s": "failed",
        "t": 7,
        "f": "DATA_LOSS: ? is no text",
        "u": 9,
        "e": True,
        "c": 2,
    }


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b'{"s":"melting","t":7}', "state 'melting' is none that we know", id="another state"),
        pytest.param(b'{"t":7}', "state '' is none that we know", id="no state"),
        pytest.param(b'{"s":"loaded","b":-1}', "field b is negative", id="a negative size"),
    ],
)
def test_what_is_no_copy_is_told_with_its_key(value: bytes, problem: str) -> None:
    with pytest.raises(RecordUnreadable, match=rf"mm/copies/iris/a .*{problem}.*passed over"):
        a_copy(value)


# What holds for all.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(), st.lists, max_leaves=5
)
NEW_FIELDS = st.dictionaries(st.text().map("x-".__add__), JSON, max_size=3)
"""None of these names is ours."""
TEXTS, COUNTS = st.text(), st.integers(0, 2**53)

MODELS = st.builds(
    ModelRecord,
    info=st.builds(ModelInfo, type=TEXTS, path=TEXTS, key=TEXTS),
    last_used_ms=COUNTS,
    references=COUNTS,
    auto_delete=st.booleans(),
    rules=st.builds(CopyRules, copies_min=COUNTS, copies_max=COUNTS, pinned=st.booleans()),
    unknown=NEW_FIELDS,
)
NAMES = st.text(min_size=1)
VMODELS = st.builds(
    VModelRecord,
    active=NAMES,
    target=NAMES,
    owner=TEXTS,
    failed=st.booleans(),
    canary=NAMES,
    canary_percent=st.integers(0, 100),
    shadow=TEXTS,
    unknown=NEW_FIELDS,
)
UNITS = COUNTS.map(lambda units: units * SIZE_UNIT_BYTES)
INSTANCES = st.builds(
    InstanceRecord,
    boot=TEXTS,
    address=NAMES,
    started_ms=COUNTS,
    version=TEXTS,
    location=TEXTS,
    zone=TEXTS,
    labels=st.lists(TEXTS).map(lambda labels: tuple(sorted(labels))),
    capacity_bytes=UNITS,
    used_bytes=UNITS,
    copies=COUNTS,
    coldest_ms=st.none() | COUNTS.filter(bool),  # 0 is as good as none
    loading_slots=st.integers(1, 100),
    loading=COUNTS,
    rpm=COUNTS,
    idle_since_ms=st.none() | COUNTS.filter(bool),
    draining=st.booleans(),
    endpoints=st.dictionaries(TEXTS, TEXTS),
    unknown=NEW_FIELDS,
)
COPIES = st.builds(
    CopyRecord,
    state=st.sampled_from(CopyState),
    since_ms=COUNTS,
    size_bytes=COUNTS,
    load_s=st.floats(0, 1e6),
    failure=TEXTS,
    until_ms=COUNTS,
    everywhere=st.booleans(),
    crashes=COUNTS,
    unknown=NEW_FIELDS,
)

KINDS = [
    pytest.param(MODELS, encode_model, decode_model, id="models"),
    pytest.param(VMODELS, encode_vmodel, decode_vmodel, id="vmodels"),
    pytest.param(INSTANCES, encode_instance, decode_instance, id="instances"),
    pytest.param(COPIES, encode_copy, decode_copy, id="copies"),
]


@pytest.mark.parametrize(("records", "encode", "decode"), KINDS)
@given(st.data())
def test_what_is_written_is_read_again_with_what_is_unknown(
    records: st.SearchStrategy[Any], encode: Any, decode: Any, data: st.DataObject
) -> None:
    record = data.draw(records)
    assert decode("key", encode(record)) == record


@pytest.mark.parametrize(("records", "encode", "decode"), KINDS)
@given(
    value=st.binary(max_size=60) | st.dictionaries(TEXTS, JSON).map(lambda some: json.dumps(some).encode())
)
def test_whatever_stands_there_is_a_record_or_unreadable(
    records: object, encode: Any, decode: Any, value: bytes
) -> None:
    try:
        record = decode("key", value)
    except RecordUnreadable:
        return
    if record is not None:
        assert decode("key", encode(record)) == record


def test_wanted_types_are_read_as_they_were_written() -> None:
    assert decode_wanted("k", encode_wanted(["mt:a", "rt:\ud800"])) == ("mt:a", "rt:\ud800")
    with pytest.raises(RecordUnreadable, match="k"):
        decode_wanted("k", b'{"types":[1]}')
