from collections.abc import Mapping

import pytest

from adapter.domain.errors import BadModelKey
from adapter.storage.model_key import ModelKey
from adapter.storage.resolution import default_key, resolved

S3 = {"type": "s3", "access_key_id": "", "default_bucket": "default"}
GENERIC: dict[str, object] = {"type": "generic", "key": "value", "struct": {"s1_key": "s1"}, "list": ["x"]}


def fields_of(
    base: Mapping[str, object], *, bucket: str | None = None, **params: str
) -> Mapping[str, object]:
    key = ModelKey(
        bucket=bucket, storage_params={path.replace("__", "."): value for path, value in params.items()}
    )
    return resolved(key, base, secret_key="myStorage").fields


@pytest.mark.parametrize(
    ("fields", "bucket"),
    [
        pytest.param(fields_of(S3, bucket=None), "default", id="default_bucket is an alias"),
        pytest.param(fields_of(S3 | {"bucket": ""}), "", id="an empty bucket is there all the same"),
        pytest.param(fields_of(S3, bucket="bucket1"), "bucket1", id="the deprecated bucket replaces it"),
        pytest.param(fields_of(S3, bucket=""), "default", id="unless it is empty"),
        pytest.param(fields_of({"type": "s3"}, bucket="bucket1"), None, id="or there is none to replace"),
        pytest.param(
            fields_of({"default_bucket": "d"}, type="s3"), None, id="the alias comes before overrides"
        ),
    ],
)
def test_the_bucket_is_found(fields: Mapping[str, object], bucket: str | None) -> None:
    assert fields.get("bucket") == bucket


def test_params_win_over_all() -> None:
    key = ModelKey(bucket="deprecated", storage_params={"bucket": "bucket1"})
    assert resolved(key, S3, secret_key="k").fields == S3 | {"bucket": "bucket1"}


def test_params_can_turn_a_secret_into_another_type() -> None:
    storage = resolved(ModelKey(storage_params={"type": "gcs"}), S3, secret_key="k")
    assert (storage.type, storage.secret_key) == ("gcs", "k")


def test_params_alone_can_say_all() -> None:
    storage = resolved(ModelKey(storage_params={"type": "generic"}), {}, secret_key=None)
    assert (storage.type, storage.fields) == ("generic", {"type": "generic"})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("key", {"key": "new"}, id="an existing string"),
        pytest.param("other", {"other": "new"}, id="a new string"),
        pytest.param("nested.object.key", {"nested": {"object": {"key": "new"}}}, id="new objects"),
        pytest.param("struct.s2_key", {"struct": {"s1_key": "s1", "s2_key": "new"}}, id="into an object"),
    ],
)
def test_a_dot_path_walks_and_makes_objects(path: str, expected: dict[str, object]) -> None:
    storage = resolved(ModelKey(storage_params={path: "new"}), GENERIC, secret_key="k")
    assert storage.fields == GENERIC | expected


def test_two_paths_share_the_objects_they_make() -> None:
    params = {"nested.object.key": "a", "nested.another": "b"}
    storage = resolved(ModelKey(storage_params=params), GENERIC, secret_key="k")
    assert storage.fields["nested"] == {"object": {"key": "a"}, "another": "b"}


def test_the_secret_itself_is_not_changed() -> None:
    resolved(ModelKey(storage_params={"struct.s1_key": "new"}), GENERIC, secret_key="k")
    assert GENERIC["struct"] == {"s1_key": "s1"}


@pytest.mark.parametrize(
    ("path", "why"),
    [
        pytest.param("struct", "what is there already is no string", id="an object is there"),
        pytest.param("list", "what is there already is no string", id="a list is there"),
        pytest.param("key.below", "`key` is there and is no object", id="through a string"),
        pytest.param("list.0", "`list` is there and is no object", id="through a list"),
        pytest.param("struct.s1_key.below", "`struct.s1_key` is there and is no object", id="deeper"),
    ],
)
def test_a_dot_path_writes_strings_and_walks_objects_alone(path: str, why: str) -> None:
    with pytest.raises(BadModelKey, match=f"storage_params.{path} cannot be set: {why}"):
        resolved(ModelKey(storage_params={path: "new"}), GENERIC, secret_key="k")


@pytest.mark.parametrize("base", [{}, {"type": 5}, {"type": None}])
def test_somebody_must_say_the_type(base: dict[str, object]) -> None:
    with pytest.raises(BadModelKey, match=r"^Predictor Storage field missing.*'myStorage'"):
        resolved(ModelKey(), base, secret_key="myStorage")


def test_nothing_configured_says_why_the_default_did_not_help() -> None:
    with pytest.raises(BadModelKey, match=r"^Predictor Storage field missing.*there is no default"):
        resolved(ModelKey(), {}, secret_key=None, why_none="there is no default")


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({}, "default"),
        ({"type": ""}, "default"),
        ({"type": "s3"}, "default_s3"),
        ({"bucket": "b"}, "default"),
    ],
)
def test_there_is_a_default_for_each_type(params: dict[str, str], name: str) -> None:
    assert default_key(ModelKey(storage_params=params)) == name
