from pathlib import Path

import pytest

from runtimes.python_runtime.errors import BadRequest, Corrupt, FilesMissing, Unsupported
from runtimes.python_runtime.finding import explained, find_model
from runtimes.python_runtime.flavours.table import FLAVOURS
from tests.unit.runtimes.python_runtime.conftest import Lay


def found(folder: Path) -> tuple[str, str]:
    """The flavour, and the path in the folder."""
    flavour, source = find_model(str(folder.parent), folder.name)
    path = Path(source.path)
    return flavour.name, str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


@pytest.mark.parametrize(
    ("file", "content", "flavour"),
    [
        pytest.param("model__joblib", b"", "sklearn", id="joblib"),
        pytest.param("model__pkl", b"", "sklearn", id="pickle"),
        pytest.param("model__json", b"", "xgboost", id="json"),
        pytest.param("model__ubj", b"", "xgboost", id="ubjson"),
        pytest.param("model__lgb", b"", "lightgbm", id="lgb"),
        pytest.param("model__onnx", b"", "onnx", id="onnx"),
        pytest.param("flowers__onnx", b"", "onnx", id="an ending"),
        pytest.param("model__bst", b"{L\x00\x00", "xgboost", id="bst that is xgboost"),
        pytest.param("model__bst", b"tree\nversion=v4", "lightgbm", id="bst that is lightgbm"),
        pytest.param("anything", b"\x80\x04", "sklearn", id="first bytes of a pickle"),
        pytest.param("anything", b"x\x9c", "sklearn", id="first bytes of a compressed pickle"),
    ],
)
def test_a_file_tells_its_format(lay: Lay, file: str, content: bytes, flavour: str) -> None:
    assert found(lay("m", **{file: content})) == (flavour, file.replace("__", "."))


def test_code_is_loaded_from_its_folder(lay: Lay) -> None:
    assert found(lay("m", model__py=b"", weights__json=b"{}")) == ("pyfunc", ".")


@pytest.mark.parametrize(
    ("implementation", "flavour"),
    [
        pytest.param("mlserver_sklearn.SKLearnModel", "sklearn", id="MLServer's sklearn"),
        pytest.param("mlserver_xgboost.XGBoostModel", "xgboost", id="MLServer's xgboost"),
        pytest.param("mlserver_lightgbm.LightGBMModel", "lightgbm", id="MLServer's lightgbm"),
        pytest.param("python_runtime.onnx", "onnx", id="ours"),
        pytest.param("mycode.Model", "pyfunc", id="anybody's"),
    ],
)
def test_settings_go_before_names(lay: Lay, implementation: str, flavour: str) -> None:
    settings = {"implementation": implementation, "parameters": {"uri": "some-file"}}
    assert found(lay("m", settings, **{"some-file": b""})) == (flavour, "some-file")


def test_the_uri_may_be_absolute_or_lead_to_a_folder(lay: Lay, tmp_path: Path) -> None:
    pulled = lay("pulled", model__joblib=b"")
    folder = lay("m", {"implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": str(pulled)}})
    assert found(folder) == ("sklearn", str(pulled / "model.joblib"))


def test_a_lone_folder_in_the_folder_is_looked_into(lay: Lay) -> None:
    folder = lay("m", {})
    (folder / "1").mkdir()
    (folder / "1" / "model.onnx").write_bytes(b"")
    assert found(folder) == ("onnx", "1/model.onnx")


def test_a_lone_file_of_any_name_is_what_the_settings_say(lay: Lay) -> None:
    settings = {"implementation": "mlserver_sklearn.SKLearnModel"}
    assert found(lay("m", settings, blob=b"")) == ("sklearn", "blob")


@pytest.mark.parametrize(
    ("settings", "files", "error", "text"),
    [
        pytest.param(None, {}, FilesMissing, "it has nothing", id="empty folder"),
        pytest.param(None, {"a": b"", "b": b""}, FilesMissing, r"it has \['a', 'b'\]", id="which of them"),
        pytest.param(None, {"blob": b"?"}, Unsupported, "say it by `implementation`", id="unknown content"),
        pytest.param(
            {"parameters": {"uri": "gone"}}, {}, FilesMissing, "gone does not exist", id="uri leads nowhere"
        ),
        pytest.param(
            {"implementation": "mlserver_mlflow.MLflowRuntime"}, {}, Unsupported, "mlflow", id="not ours"
        ),
        pytest.param({"implementation": 7}, {}, Corrupt, "implementation", id="broken settings"),
    ],
)
def test_what_cannot_be_found_says_why(
    lay: Lay, settings: dict[str, object] | None, files: dict[str, bytes], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        found(lay("m", settings, **files))


def test_a_model_without_a_folder_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FilesMissing, match="nobody does not exist"):
        find_model(str(tmp_path), "nobody")


@pytest.mark.parametrize("name", ["", ".", "..", "../m", "a/b", "a\0b", "x" * 256])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRequest):
        find_model(str(tmp_path), name)


def test_a_file_of_another_format_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    path.write_bytes(b"tree\nversion=v4")
    assert "begins as a model for lightgbm" in (explained(FLAVOURS["sklearn"], str(path)) or "")
    assert explained(FLAVOURS["lightgbm"], str(path)) is None
    assert explained(FLAVOURS["sklearn"], str(tmp_path / "gone")) is None
