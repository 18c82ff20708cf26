"""The vectors of the reference (runtime adapter 11.5), and what is refused."""

import json
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import pytest

from adapter.domain.errors import ModelCorrupt
from adapter.domain.ids import ModelId
from adapter.layout import mlserver
from adapter.layout.files import PulledFiles
from adapter.layout.model_settings import SETTINGS, settings_plan
from adapter.layout.plan import Link, Write

MODEL = ModelId("test-model-id")
PULLED = PurePosixPath("/models/test-model-id")
FOLDER = PurePosixPath("/models/_mlserver_models/test-model-id")

XGBOOST = "mlserver_xgboost.XGBoostModel"
SKLEARN = "mlserver_sklearn.SKLearnModel"
INPUT = {"name": "in", "datatype": "FP32", "shape": [-1, 3]}
OUTPUT = {"name": "out", "datatype": "INT64", "shape": [-1]}
OTHER = {"name": "old", "datatype": "FP64", "shape": [1]}


@dataclass(frozen=True, kw_only=True)
class Case:
    kind: str
    root: str = "."
    files: list[str] = field(default_factory=list)
    settings: object = None
    schema: object = None
    links: list[str]
    expected: dict[str, object]


def the_files(case: Case) -> PulledFiles:
    contents = {} if case.settings is None else {SETTINGS: json.dumps(case.settings).encode()}
    return PulledFiles(
        root=PULLED / case.root,
        sizes={PurePosixPath(name): 1 for name in [*case.files, *map(str, contents)]},
        contents=contents,
        schema=None if case.schema is None else json.dumps(case.schema).encode(),
    )


VECTORS = {
    "single-file": Case(
        kind="custom",
        root="some-file",
        files=["."],
        links=["some-file"],
        expected={"parameters": {"uri": f"{FOLDER}/some-file"}},
    ),
    "dir-with-single-file": Case(
        kind="custom",
        root="somedir",
        files=["somefile"],
        links=["somedir"],
        expected={"parameters": {"uri": f"{FOLDER}/somedir"}},
    ),
    "dir-with-complex-structure": Case(
        kind="custom",
        root="modelname",
        files=["file", "dir/a", "dir/b/c"],
        links=["modelname"],
        expected={"parameters": {"uri": f"{FOLDER}/modelname"}},
    ),
    "dir-mlserver-layout": Case(
        kind="custom",
        files=["somefile", "somedir/data"],
        settings={},
        links=["somedir", "somefile"],
        expected={},
    ),
    "path-to-modelid-dir": Case(
        kind="custom",
        files=["somefile"],
        links=["test-model-id"],
        expected={"parameters": {"uri": f"{FOLDER}/test-model-id"}},
    ),
    "sklearn-standard-native": Case(
        kind="sklearn",
        root="model",
        files=["model.joblib"],
        settings={"name": "sklearn-iris", "implementation": SKLEARN},
        links=["model.joblib"],
        expected={"implementation": SKLEARN},
    ),
    "xgboost-standard-native": Case(
        kind="xgboost",
        root="data",
        files=["model.bst"],
        settings={"implementation": XGBOOST},
        links=["model.bst"],
        expected={"implementation": XGBOOST},
    ),
    "xgboost-example": Case(
        kind="xgboost",
        root="dir",
        files=["mushroom-xgboost.json"],
        settings={"name": "m", "parameters": {"uri": "./mushroom-xgboost.json", "version": "v0.1.0"}},
        links=["mushroom-xgboost.json"],
        expected={"parameters": {"uri": f"{FOLDER}/mushroom-xgboost.json", "version": "v0.1.0"}},
    ),
    "mllib-standard": Case(
        kind="mllib",
        root="mllib",
        files=["data/part", "metadata/part"],
        settings={},
        links=["data", "metadata"],
        expected={},
    ),
    "schema-simple": Case(
        kind="xgboost",
        root="model.json",
        files=["."],
        schema={"inputs": [INPUT], "outputs": [OUTPUT]},
        links=["model.json"],
        expected={
            "implementation": XGBOOST,
            "parameters": {"uri": f"{FOLDER}/model.json"},
            "inputs": [INPUT],
            "outputs": [OUTPUT],
        },
    ),
    "schema-overwrite-outputs": Case(
        kind="xgboost",
        root="my-model",
        files=["model.bst"],
        settings={"inputs": [INPUT], "outputs": [OTHER]},
        schema={"outputs": [OUTPUT]},
        links=["model.bst"],
        expected={"inputs": [INPUT], "outputs": [OUTPUT]},
    ),
    "model-filename-precedes-model-settings": Case(
        kind="sklearn",
        root="data",
        files=["aaaaa.json"],
        settings={"parameters": {"uri": "./aaaaa.json"}},
        links=["aaaaa.json"],
        expected={"parameters": {"uri": f"{FOLDER}/aaaaa.json"}},
    ),
    "an empty list of the schema replaces too": Case(
        kind="xgboost",
        root="my-model",
        files=["model.bst"],
        settings={"outputs": [OTHER]},
        schema={"outputs": []},
        links=["model.bst"],
        expected={"outputs": []},
    ),
    "all other keys are kept": Case(
        kind="sklearn",
        root="my-model",
        files=["m"],
        settings={"max_batch_size": 2**60, "parameters": {"extra": {"a": ["<&>"]}}},
        links=["m"],
        expected={"max_batch_size": 2**60, "parameters": {"extra": {"a": ["<&>"]}}},
    ),
}


@pytest.mark.parametrize("case", VECTORS.values(), ids=VECTORS)
def test_a_model_lies_as_mlserver_wants_it(case: Case) -> None:
    files = the_files(case)
    plan = mlserver.plan(MODEL, case.kind, files, FOLDER)
    plan.check()
    links = {str(step.at): step.to for step in plan.steps if isinstance(step, Link)}
    [settings] = [json.loads(step.content) for step in plan.steps if isinstance(step, Write)]
    native = case.settings is not None
    assert links == {name: files.root / name if native else files.root for name in case.links}
    assert settings == {"name": MODEL, **case.expected}


@pytest.mark.parametrize(
    ("uri", "absolute"),
    [
        ("./mnist-svm-00000000", f"{FOLDER}/mnist-svm-00000000"),
        ("/abs/path", f"{FOLDER}/abs/path"),
        ("http://x/y", f"{FOLDER}/http:/x/y"),
        ("../../q", f"{FOLDER}/q"),
        ("", f"{FOLDER}"),
    ],
)
def test_a_uri_becomes_absolute_and_stays_in_the_folder(uri: str, absolute: str) -> None:
    case = Case(kind="", files=["m"], settings={"parameters": {"uri": uri}}, links=[], expected={})
    settings = settings_plan(MODEL, None, the_files(case), FOLDER).steps[-1]
    assert isinstance(settings, Write)
    assert json.loads(settings.content)["parameters"]["uri"] == absolute


def test_settings_are_written_for_reading() -> None:
    case = Case(kind="", root="m.bst", files=["."], links=[], expected={})
    settings = settings_plan(MODEL, "x.Y", the_files(case), FOLDER).steps[-1]
    assert isinstance(settings, Write)
    assert settings.content.startswith(
        b'{\n  "implementation": "x.Y",\n  "name": "test-model-id",\n  "parameters"'
    )


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        pytest.param([], "must be a JSON object", id="settings are a list"),
        pytest.param({"parameters": "x"}, "`parameters` must be an object", id="parameters are a string"),
        pytest.param(
            {"parameters": {"uri": 5}}, "`parameters.uri` must be a string", id="the uri is a number"
        ),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings: object, complaint: str) -> None:
    case = Case(kind="", files=["m"], settings=settings, links=[], expected={})
    with pytest.raises(ModelCorrupt, match=complaint):
        settings_plan(MODEL, None, the_files(case), FOLDER)


@pytest.mark.parametrize("text", [b"{", b"\xff", b"[" * 100_000])
def test_settings_that_are_not_json_are_refused(text: bytes) -> None:
    files = PulledFiles(root=PULLED, sizes={SETTINGS: 1}, contents={SETTINGS: text})
    with pytest.raises(ModelCorrupt, match=r"model-settings\.json is not JSON"):
        settings_plan(MODEL, None, files, FOLDER)


def test_a_schema_that_cannot_be_used_is_refused() -> None:
    case = Case(kind="", root="m", files=["."], schema={"inputs": 5}, links=[], expected={})
    with pytest.raises(ModelCorrupt, match="inputs must be a list"):
        settings_plan(MODEL, None, the_files(case), FOLDER)


def test_a_path_to_the_settings_file_itself_is_refused() -> None:
    files = PulledFiles(root=PULLED / SETTINGS, sizes={PurePosixPath(): 1})
    with pytest.raises(ModelCorrupt, match="give the folder"):
        settings_plan(MODEL, None, files, FOLDER)
