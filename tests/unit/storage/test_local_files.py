from pathlib import Path, PurePosixPath

import pytest

from adapter.domain.errors import BadModelKey, ModelCorrupt, ObjectMissing
from adapter.domain.records import ModelInfo
from adapter.storage.local_files import read_local
from adapter.storage.puller import SMALL_FILE_BYTES_MAX


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "iris" / "model"
    folder.mkdir(parents=True)
    (folder / "weights").write_text("0.5")
    return folder


async def test_a_folder_is_told_by_its_files_and_small_contents(model: Path) -> None:
    (model / "model-settings.json").write_text("{}")
    local = await read_local(ModelInfo(type="rt:x", path=str(model), key='{"model_type": "sklearn"}'))
    assert local.model_type == "sklearn"
    assert local.files.root == PurePosixPath(model)
    assert local.files.sizes.keys() == {PurePosixPath("weights"), PurePosixPath("model-settings.json")}
    assert local.files.contents == {PurePosixPath("model-settings.json"): b"{}"}


async def test_a_single_file_is_told_as_one(model: Path) -> None:
    local = await read_local(ModelInfo(type="sklearn", path=str(model / "weights")))
    assert local.files.is_file


@pytest.mark.parametrize(
    ("key", "disk_bytes"),
    [
        pytest.param('{"disk_size_bytes": 54321}', 54321, id="told"),
        pytest.param('{"disk_size_bytes": 10.9}', 10, id="a fraction"),
        pytest.param('{"disk_size_bytes": "5"}', None, id="no number"),
        pytest.param("{}", None, id="not told"),
        pytest.param("", None, id="no key"),
    ],
)
async def test_the_size_is_what_the_key_tells(model: Path, key: str, disk_bytes: int | None) -> None:
    assert (await read_local(ModelInfo(type="t", path=str(model), key=key))).disk_bytes == disk_bytes


async def test_the_schema_is_read_where_the_key_says(model: Path) -> None:
    (model.parent / "schema.json").write_text('{"inputs": []}')
    key = f'{{"schema_path": "{model.parent}/schema.json"}}'
    assert (await read_local(ModelInfo(type="t", path=str(model), key=key))).files.schema == b'{"inputs": []}'


@pytest.mark.parametrize(
    ("key", "error"),
    [
        pytest.param("{", BadModelKey, id="no JSON"),
        pytest.param("[]", BadModelKey, id="no object"),
        pytest.param('{"schema_path": 2}', BadModelKey, id="a schema path that is none"),
    ],
)
async def test_a_key_that_cannot_be_used_is_refused(model: Path, key: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await read_local(ModelInfo(type="t", path=str(model), key=key))


async def test_a_path_with_nothing_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ObjectMissing, match="USE_EMBEDDED_PULLER"):
        await read_local(ModelInfo(type="t", path=str(tmp_path / "nothing")))


async def test_settings_that_are_too_large_are_refused(model: Path) -> None:
    (model / "model-settings.json").write_bytes(b" " * (SMALL_FILE_BYTES_MAX + 1))
    with pytest.raises(ModelCorrupt):
        await read_local(ModelInfo(type="t", path=str(model)))
