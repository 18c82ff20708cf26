import base64
import json
from typing import Any

import pytest
from hypothesis import given

from adapter.controller.manifests.storage_config import read_entries
from tests.unit.controller.manifests.written import json_values

S3 = {"type": "s3", "access_key_id": "me", "secret_access_key": "hunter2"}


def secret(**entries: Any) -> dict[str, Any]:
    return {
        "data": {name: base64.b64encode(json.dumps(each).encode()).decode() for name, each in entries.items()}
    }


def claim(name: object) -> dict[str, object]:
    return {"type": "pvc", "name": name}


def test_the_claims_of_all_entries_are_found_sorted_and_once() -> None:
    claims, complaints = read_entries(secret(a=claim("z"), b=S3, c=claim("b"), d=claim("b"), e={"a": 1}))
    assert claims == ("b", "z")
    assert not complaints


def test_an_entry_of_a_file_may_be_plain_text_and_wins() -> None:
    manifest = {**secret(a=claim("old"), b=3), "stringData": {"a": json.dumps(claim("new")), "b": "{}"}}
    assert read_entries(manifest) == (("new",), {})


def test_line_ends_in_base64_are_fine() -> None:
    text = base64.encodebytes(json.dumps({**claim("a"), "more": "x" * 80}).encode()).decode()
    assert read_entries({"data": {"a": text}}).claims == ("a",)


@pytest.mark.parametrize(
    ("manifest", "field", "told"),
    [
        pytest.param({"data": {"bad": 3}}, "data.bad", "must be a string, not a number", id="a number"),
        pytest.param({"data": {"bad": "{}"}}, "data.bad", "must be base64; plain text", id="plain text"),
        pytest.param({"data": {"bad": "ä"}}, "data.bad", "must be base64; plain text", id="no ASCII"),
        pytest.param({"stringData": {"bad": "{"}}, "stringData.bad", "must be a JSON object", id="no JSON"),
        pytest.param(
            {"stringData": {"bad": "[" * 99999}}, "stringData.bad", "must be a JSON object", id="deep"
        ),
        pytest.param(secret(bad=[1]), "data.bad", "not a list", id="a list"),
        pytest.param(secret(bad={"type": 1}), "data.bad.type", "must be one of azure, ", id="a type"),
        pytest.param(
            secret(bad={"type": "ftp"}), "data.bad.type", "must be one of azure, ", id="another type"
        ),
        pytest.param(secret(bad=claim(None)), "data.bad.name", "must be the name of a Pers", id="no claim"),
        pytest.param(secret(bad=claim("a/b")), "data.bad.name", "must be the name of a Pers", id="no name"),
        pytest.param(
            {"data": {"bad": "A" * (2 << 20 | 1)}}, "data.bad", "at most 1048576 bytes", id="too big"
        ),
    ],
)
def test_a_bad_entry_harms_no_other(manifest: dict[str, Any], field: str, told: str) -> None:
    good = secret(good=claim("kept"))["data"]
    claims, complaints = read_entries({**manifest, "data": {**good, **manifest.get("data", {})}})
    assert claims == ("kept",)
    assert [*complaints] == ["bad"]
    assert complaints["bad"].field == field
    assert told in complaints["bad"].text


def test_what_an_entry_holds_is_in_no_message() -> None:
    broken = {"stringData": {"a": '{"secret_access_key": "hunter2"', "b": '{"type": "hunter2"}'}}
    assert "hunter2" not in str(read_entries(broken).complaints)


@given(json_values(["data", "stringData", "type", "name"]))
def test_whatever_comes_is_read(value: Any) -> None:
    read_entries(value if isinstance(value, dict) else {"data": value, "stringData": value})
    read_entries({"stringData": {"a": json.dumps(value)}})
