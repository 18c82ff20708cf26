from pathlib import Path

import pytest

from adapter.domain.errors import InvalidRequest, ObjectMissing
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.status import ModelStatus
from adapter.instance.static_models import (
    USED_AGO_MS,
    BadStaticModels,
    parse_static_models,
    read_static_models,
    register_static_models,
)
from tests.unit.instance.meshed import AMesh, AnInstance

IRIS = """{"modelId": "iris", "modelInfo": {"type": "sklearn", "path": "x", "key": "k"}%s}"""


def a_list(*more: str) -> str:
    """Of one entry each, with these further fields."""
    return f"[{', '.join(IRIS % (f', {each}' if each else '') for each in more)}]"


async def register(at: AnInstance, text: str) -> None:
    await register_static_models(
        parse_static_models(text), at.parts.models, at.parts.vmodels, now_ms=at.clock.epoch_ms()
    )


# What is told.


def test_every_field_of_an_entry_is_read() -> None:
    (told,) = parse_static_models(
        a_list('"vModelId": "newest", "retainAfterTransition": true, "ensureLoaded": true')
    )
    assert (told.model_id, told.vmodel_id, told.retained, told.ensure_loaded) == (
        "iris",
        "newest",
        True,
        True,
    )
    assert (told.model_info.type, told.model_info.path, told.model_info.key) == ("sklearn", "x", "k")


def test_little_need_be_told_and_what_is_unknown_is_passed_over() -> None:
    (told,) = parse_static_models('[{"modelId": "iris", "modelInfo": {"type": "t", "new": 1}, "newer": []}]')
    assert (told.vmodel_id, told.retained, told.ensure_loaded) == ("", False, False)
    assert (told.model_info.path, told.model_info.key) == ("", "")


@pytest.mark.parametrize("text", ["", " \n", "[]"])
def test_nothing_is_no_models(text: str) -> None:
    assert not parse_static_models(text)


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        pytest.param("{", ["Invalid JSON"], id="no JSON"),
        pytest.param("{}", ["Input should be a valid array"], id="no list"),
        pytest.param('[{"modelInfo": {"type": "t"}}]', ["0.modelId: Field required"], id="no id"),
        pytest.param('[{"modelId": "", "modelInfo": {"type": "t"}}]', ["0.modelId: "], id="an empty id"),
        pytest.param(
            a_list('"retainAfterTransition": true'), ["0: ", "is for a model with a vModelId"], id="no alias"
        ),
        pytest.param(
            '[{"modelId": "a"}, {"modelId": "b", "modelInfo": {"type": ""}}]',
            ["0.modelInfo: Field required", "1.modelInfo.type: "],
            id="several at once",
        ),
    ],
)
def test_what_cannot_be_used_is_told_with_the_variable(text: str, complaints: list[str]) -> None:
    with pytest.raises(BadStaticModels) as error:
        parse_static_models(text)
    assert all(line.startswith("MM_AUTO_REGISTER_MODELS: ") for line in str(error.value).splitlines())
    assert all(complaint in str(error.value) for complaint in complaints)


def test_a_file_has_more_of_them(tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    path.write_text('[{"modelId": "rose", "modelInfo": {"type": "t"}}]')
    assert [each.model_id for each in read_static_models(a_list(""), path)] == ["iris", "rose"]
    assert [each.model_id for each in read_static_models("", path)] == ["rose"]
    assert [each.model_id for each in read_static_models(a_list(""), None)] == ["iris"]


@pytest.mark.parametrize("content", [None, b"\xff", b"{"], ids=["away", "no text", "no JSON"])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "models.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadStaticModels, match=f"MM_AUTO_REGISTER_MODELS_PATH: {path}"):
        read_static_models("", path)


# What becomes of it.


async def test_they_are_registered_as_if_unused_for_a_year(instance: AnInstance) -> None:
    await register(instance, a_list(""))
    record = await instance.parts.records.get(ModelId("iris"))
    assert record is not None
    assert record.info == ModelInfo(type="sklearn", path="x", key="k")
    assert instance.clock.epoch_ms() - record.last_used_ms == pytest.approx(USED_AGO_MS, abs=1000)
    assert await instance.status("iris") is ModelStatus.NOT_LOADED


async def test_every_instance_of_a_mesh_may_register_the_same(mesh: AMesh) -> None:
    for each in mesh:
        await register(each, a_list('"vModelId": "newest"'))
    assert mesh.keys("registry/") == ["iris"]
    assert mesh.keys("vmodels/") == ["newest"]


@pytest.mark.parametrize("retained", [False, True])
async def test_a_model_goes_with_its_alias_unless_it_is_retained(
    instance: AnInstance, retained: bool
) -> None:
    more = ', "retainAfterTransition": true' if retained else ""
    await register(instance, a_list(f'"vModelId": "newest"{more}'))
    await instance.parts.vmodels.delete("newest")
    there = await instance.status("iris") is not ModelStatus.NOT_FOUND
    assert there is retained


async def test_what_must_be_loaded_is_loaded_before_the_instance_starts(instance: AnInstance) -> None:
    instance.disk.pull_s = 30.0
    await register(instance, a_list('"ensureLoaded": true'))
    assert instance.holds("iris")


async def test_what_must_be_loaded_and_cannot_be_ends_the_start(instance: AnInstance) -> None:
    instance.disk.failures[ModelId("iris")] = ObjectMissing("nothing there")
    with pytest.raises(InvalidRequest, match=r"iris must be loaded .* is not: .*nothing there"):
        await register(instance, a_list('"ensureLoaded": true'))


async def test_one_that_is_registered_otherwise_ends_the_start(instance: AnInstance) -> None:
    await instance.registered("iris", ModelInfo(type="onnx"))
    with pytest.raises(InvalidRequest, match="MM_AUTO_REGISTER_MODELS: iris: "):
        await register(instance, a_list(""))
