from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.errors import BadModelKey, ModelCorrupt
from adapter.domain.ids import ModelId
from adapter.storage.destinations import (
    NAME_BYTES_MAX,
    belongs_to,
    destinations,
    is_past,
    model_folder_name,
    pull_targets,
)
from adapter.storage.repository import PullTarget, RemoteObject


def objects(*keys: str) -> list[RemoteObject]:
    return [RemoteObject(key=key, size_bytes=1) for key in keys]


def places(path: str, name: str, *keys: str) -> list[str]:
    target = PullTarget(remote_path=path, local_name=name)
    return [str(each.at) for each in destinations(target, objects(*keys))]


@pytest.mark.parametrize(
    ("path", "name", "keys", "expected"),
    [
        pytest.param("dir", "", ["dir/file1", "dir/file2"], ["file1", "file2"], id="a folder without a name"),
        pytest.param(
            "some_file", "some_name.json", ["some_file"], ["some_name.json"], id="a file is renamed"
        ),
        pytest.param(
            "another_dir",
            "local_another_dir",
            ["another_dir/another_file", "another_dir/subdir1/subdir2/nested_file"],
            ["local_another_dir/another_file", "local_another_dir/subdir1/subdir2/nested_file"],
            id="a folder is renamed",
        ),
        pytest.param(
            "another_file",
            "local_another_dir/some_other_name.ext",
            ["another_file"],
            ["local_another_dir/some_other_name.ext"],
            id="a file goes into a folder under another name",
        ),
        pytest.param(
            "yet_another_file",
            "local_another_dir/",
            ["yet_another_file"],
            ["local_another_dir/yet_another_file"],
            id="a file goes into a folder under its own name",
        ),
        pytest.param("m/", "m", ["m/a", "m/b/c"], ["m/a", "m/b/c"], id="a path with a slash at its end"),
        pytest.param("m", "m", ["m/../../x", "m/a/../b"], ["m/x", "m/b"], id="up is clamped"),
        pytest.param("m", "m", ["m//a", "m/./b"], ["m/a", "m/b"], id="empty elements vanish"),
    ],
)
def test_objects_become_files(path: str, name: str, keys: list[str], expected: list[str]) -> None:
    assert places(path, name, *keys) == expected


@pytest.mark.parametrize(
    ("size_bytes", "key", "path", "belongs"),
    [
        (0, "path/obj", "path", False),
        (1, "path/", "path", False),
        (1, "path/obj", "path", True),
        (1, "path", "path", True),
        (1, "path/obj", "path/", True),
        (1, "path_with_more", "path", False),
        (1, "path_with_more/obj", "path", False),
        (1, "obj", "", False),
    ],
)
def test_what_belongs_to_a_path(size_bytes: int, key: str, path: str, *, belongs: bool) -> None:
    assert belongs_to(path, RemoteObject(key=key, size_bytes=size_bytes)) is belongs


@given(st.text(alphabet="m/-0.~é", min_size=1, max_size=4), st.text(alphabet="m/-0.~é", max_size=6))
def test_nothing_that_belongs_is_past(path: str, rest: str) -> None:
    key = path + rest
    if is_past(path, key):
        assert not belongs_to(path, RemoteObject(key=key, size_bytes=1))
        assert not any(belongs_to(path, RemoteObject(key=key + more, size_bytes=1)) for more in ("/a", "z"))


def test_siblings_that_follow_are_past_and_those_before_are_not() -> None:
    assert [is_past("m1", key) for key in ("m1", "m1-a", "m1/z", "m10", "m1a")] == [
        False,
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        pytest.param(["m/a/../b", "m/b"], "'m/a/../b' and 'm/b' need the same place", id="one place twice"),
        pytest.param(["m", "m/a"], "'m' and 'm/a' need the same place", id="a file and a folder"),
        pytest.param(["m/a", "m/a/b/c"], "'m/a' and 'm/a/b/c' need the same place", id="deeper"),
        pytest.param(["m/a\0b"], "it holds a NUL", id="a NUL"),
        pytest.param(
            ["m/" + "é" * 128], f"an element is longer than {NAME_BYTES_MAX} bytes", id="a long name"
        ),
        pytest.param(["m/" + "a/b" * 1000], "it is longer than 2048 bytes", id="a long path"),
        pytest.param(["m/\ud800"], "it is not valid Unicode", id="half a character"),
    ],
)
def test_keys_that_cannot_be_files_are_refused(keys: list[str], complaint: str) -> None:
    with pytest.raises(ModelCorrupt, match=complaint):
        places("m", "m", *keys)


@given(st.lists(st.text(alphabet="a./\\", max_size=8), max_size=4))
def test_nothing_leaves_the_folder_of_its_target(rests: list[str]) -> None:
    target = PullTarget(remote_path="m", local_name="model")
    for rest in rests:
        [placed] = destinations(target, objects(f"m/{rest}"))
        assert placed.at.is_relative_to("model")
        assert ".." not in placed.at.parts


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("path/to/model", "model"),
        ("path/to/model/", "model"),
        ("model.zip", "model.zip"),
        ("", "_model"),
        (".", "_model"),
        ("///", "_model"),
        ("..", "_model"),
        ("a/..", "_model"),
    ],
)
def test_the_local_name_is_the_last_element(path: str, name: str) -> None:
    assert pull_targets(path, None) == (PullTarget(remote_path=path, local_name=name),)


@pytest.mark.parametrize(
    ("model", "schema", "name"),
    [
        ("model", "dir/my_schema", "my_schema"),
        ("dir/same", "other/same", "_schema.json"),
        ("model", "", "_schema.json"),
    ],
)
def test_the_schema_gets_its_own_name(model: str, schema: str, name: str) -> None:
    assert pull_targets(model, schema)[1] == PullTarget(remote_path=schema, local_name=name)


@pytest.mark.parametrize(
    ("model", "schema", "complaint"),
    [
        pytest.param(
            "_schema.json", "a/_schema.json", "is called _schema.json already", id="no name is left"
        ),
        pytest.param("a\0b", None, "modelPath: .* NUL", id="NUL in the path"),
        pytest.param("m", "é" * 200, "schema_path: .* longer than 255", id="long schema name"),
    ],
)
def test_paths_that_give_no_name_are_refused(model: str, schema: str | None, complaint: str) -> None:
    with pytest.raises(BadModelKey, match=complaint):
        pull_targets(model, schema)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("iris", "iris"),
        ("my-model_v1.2-isvc-0123abcdef", "my-model_v1.2-isvc-0123abcdef"),
        ("a/b", "a%2Fb"),
        ("..", "%2E."),
        (".hidden", "%2Ehidden"),
        ("_mlserver_models", "%5Fmlserver_models"),
        ("", "%"),
        ("%", "%25"),
        ("é \0", "%C3%A9%20%00"),
    ],
)
def test_a_model_has_a_folder_of_its_own(model: str, name: str) -> None:
    assert model_folder_name(ModelId(model)) == name


IDS = st.text(alphabet="ab._/%é-\0") | st.text(alphabet="a/", min_size=150, max_size=300)


@given(IDS, IDS)
def test_no_two_models_share_a_folder_and_none_is_a_path(one: str, other: str) -> None:
    names = [model_folder_name(ModelId(model)) for model in (one, other)]
    assert (names[0] == names[1]) == (one == other)
    for name in names:
        assert PurePosixPath(name).parts == (name,)
        assert name[0] not in "._"
        assert len(name.encode()) <= NAME_BYTES_MAX


def test_a_long_id_that_looks_like_anothers_folder_has_its_own() -> None:
    long = ModelId("x" * 300)
    assert model_folder_name(ModelId(model_folder_name(long))) != model_folder_name(long)
