import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.errors import BadModelKey
from adapter.storage.model_key import ModelKey, parse_model_key, rewritten


def test_all_fields_are_read() -> None:
    key = parse_model_key(
        '{"model_type": {"name": "onnx", "version": "1"}, "storage_key": "k", "schema_path": "s.json",'
        ' "storage_params": {"bucket": "b"}, "bucket": "old", "disk_size_bytes": 7, "extra": [1]}'
    )
    assert key == ModelKey(
        model_type={"name": "onnx", "version": "1"},
        storage_key="k",
        storage_params={"bucket": "b"},
        schema_path="s.json",
        bucket="old",
    )


def test_null_is_as_if_it_was_not_there() -> None:
    nothing = dict.fromkeys(["storage_key", "storage_params", "schema_path", "bucket", "model_type"])
    assert parse_model_key(json.dumps(nothing)) == parse_model_key("{}") == ModelKey()


def test_names_are_known_in_either_case() -> None:
    assert parse_model_key('{"Storage_Key": "k"}').storage_key == "k"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("", "not JSON", id="empty"),
        pytest.param("{}{}", "not JSON", id="two objects"),
        pytest.param("[" * 100_000, "not JSON", id="nested without end"),
        pytest.param('"k"', "it must be a JSON object, not a string", id="a string"),
        pytest.param(
            '{"storage_key": 5}', "storage_key must be a string, not a number", id="number for a key"
        ),
        pytest.param('{"schema_path": 2}', "schema_path must be a string", id="number for a path"),
        pytest.param('{"bucket": {}}', "bucket must be a string, not an object", id="object for a bucket"),
        pytest.param(
            '{"storage_params": []}', "storage_params must be an object of strings", id="params list"
        ),
        pytest.param('{"storage_params": {"a": 1}}', "storage_params.a must be a string", id="param number"),
        pytest.param('{"disk_size_bytes": "5"}', "disk_size_bytes must be a whole number", id="size string"),
        pytest.param(
            '{"disk_size_bytes": 1.5}', "disk_size_bytes must be a whole number", id="size fraction"
        ),
        pytest.param('{"disk_size_bytes": true}', "not true or false", id="size true"),
    ],
)
def test_what_is_wrong_is_named(text: str, complaint: str) -> None:
    with pytest.raises(BadModelKey, match=f"^Invalid modelKey in LoadModelRequest: .*{complaint}"):
        parse_model_key(text)


def test_a_complaint_holds_no_parameter() -> None:
    with pytest.raises(BadModelKey) as failure:
        parse_model_key('{"storage_params": {"secret_access_key": "hush"}, }')
    assert "hush" not in str(failure.value)
    assert failure.value.__cause__ is None
    assert "hush" not in repr(parse_model_key('{"storage_params": {"secret_access_key": "hush"}}'))


@pytest.mark.parametrize(
    ("model_type", "schema_path", "text"),
    [
        pytest.param(None, None, '{"disk_size_bytes":60}', id="the size is always there"),
        pytest.param(
            {"name": "tensorflow"},
            None,
            '{"model_type":{"name":"tensorflow"},"disk_size_bytes":60}',
            id="type",
        ),
        pytest.param(
            {"name": "t", "version": "1"},
            "/models/m1/schema.json",
            '{"model_type":{"name":"t","version":"1"},"disk_size_bytes":60,"schema_path":"/models/m1/schema.json"}',
            id="type and schema",
        ),
        pytest.param("onnx", None, '{"model_type":"onnx","disk_size_bytes":60}', id="type as a string"),
    ],
)
def test_the_runtime_gets_type_size_and_schema(
    model_type: object, schema_path: str | None, text: str
) -> None:
    key = ModelKey(model_type=model_type, storage_key="k", bucket="b")
    assert rewritten(key, disk_size_bytes=60, schema_path=schema_path) == text


@given(st.dictionaries(st.sampled_from(["model_type", "storage_key", "storage_params", "bucket"]), st.text()))
def test_whatever_a_key_holds_it_is_read_or_refused(fields: dict[str, str]) -> None:
    with contextlib.suppress(BadModelKey):
        key = parse_model_key(json.dumps(fields))
        assert json.loads(rewritten(key, disk_size_bytes=1, schema_path=None))["disk_size_bytes"] == 1
