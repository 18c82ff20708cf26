import sys

import pytest

from runtimes.python_runtime.errors import Unsupported
from runtimes.python_runtime.flavours.table import (
    FLAVOURS,
    content_of,
    flavour_of_content,
    flavour_of_file,
    flavour_of_implementation,
)


@pytest.mark.parametrize(
    ("first_bytes", "content"),
    [
        pytest.param(b"\x80\x04\x95", "pickle", id="pickle"),
        pytest.param(b"\x1f\x8b\x08", "compressed pickle", id="gzip"),
        pytest.param(b"{L\x00\x00", "xgboost", id="ubjson"),
        pytest.param(b'{"learner"', "xgboost", id="json"),
        pytest.param(b"tree\nversion", "lightgbm", id="lightgbm"),
        pytest.param(b"\x08\x09\x12", "onnx", id="onnx"),
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"PK\x03\x04", None, id="something else"),
    ],
)
def test_first_bytes_tell_the_content(first_bytes: bytes, content: str | None) -> None:
    assert content_of(first_bytes) == content


def test_each_content_has_a_flavour() -> None:
    assert flavour_of_content("pickle") is FLAVOURS["sklearn"]
    assert flavour_of_content(None) is None


@pytest.mark.parametrize(
    ("name", "flavour"),
    [
        pytest.param("model.joblib", "sklearn", id="well-known"),
        pytest.param("iris.onnx", "onnx", id="ending"),
        pytest.param("model.bst", None, id="xgboost or lightgbm"),
        pytest.param("weights.json", None, id="any json"),
    ],
)
def test_a_name_tells_the_flavour_if_it_can(name: str, flavour: str | None) -> None:
    found = flavour_of_file(name)
    assert (found.name if found else None) == flavour


@pytest.mark.parametrize(
    "name", ["mlserver_mlflow.MLflowRuntime", "python_runtime.keras", "mlserver-mllib.X"]
)
def test_a_servers_own_class_that_we_have_not_is_refused(name: str) -> None:
    with pytest.raises(Unsupported, match="not offered here"):
        flavour_of_implementation(name)


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "runtimes.python_runtime.flavours.xgboost", raising=False)
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(Unsupported, match=r"pip install 'remesh\[xgboost\]'"):
        FLAVOURS["xgboost"].import_library()
