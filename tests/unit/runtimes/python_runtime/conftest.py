"""Small models, and folders to load them from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from runtimes.python_runtime.admission import Admission, Bounds
from runtimes.python_runtime.flavours.model import ModelSource
from runtimes.python_runtime.repository import Repository
from runtimes.python_runtime.settings import read_settings

Lay = Callable[..., Path]


@pytest.fixture(scope="session")
def iris() -> tuple[Any, Any]:
    rows, classes = load_iris(return_X_y=True)
    return rows, classes


@pytest.fixture(scope="session")
def classifier(iris: tuple[Any, Any]) -> LogisticRegression:
    return LogisticRegression(max_iter=500).fit(*iris)


@pytest.fixture
def lay(tmp_path: Path) -> Lay:
    """Make the folder of a model: files by name (bytes, or an object to dump), and settings."""

    def make(name: str, settings: dict[str, object] | None = None, **files: object) -> Path:
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        for file_name, content in files.items():
            path = folder / file_name.replace("__", ".")
            if isinstance(content, bytes):
                path.write_bytes(content)
            elif isinstance(content, str):
                path.write_text(content)
            else:
                joblib.dump(content, path)
        if settings is not None:
            (folder / "model-settings.json").write_text(json.dumps(settings))
        return folder

    return make


@pytest.fixture
def source() -> Callable[..., ModelSource]:
    """What a flavour is given to load."""

    def make(path: Path, **settings: object) -> ModelSource:
        told = read_settings(json.dumps(settings).encode())
        return ModelSource(name=path.stem, folder=str(path.parent), path=str(path), settings=told)

    return make


@pytest.fixture
def admission() -> Admission:
    return Admission(Bounds(running_max=2, admitted_max=3, total_max=4))


@pytest.fixture
def repository(tmp_path: Path, admission: Admission) -> Repository:
    (tmp_path / "models").mkdir(exist_ok=True)
    return Repository(str(tmp_path / "models"), admission=admission)


@pytest.fixture(scope="session")
def rows() -> "np.ndarray[Any, Any]":
    return np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3], [5.9, 3.0, 4.2, 1.5]])
