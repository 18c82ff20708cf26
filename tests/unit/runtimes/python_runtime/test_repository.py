from pathlib import Path

import joblib
import pytest
from sklearn.linear_model import LogisticRegression

from runtimes.python_runtime.admission import Admission, PatientCaller
from runtimes.python_runtime.errors import (
    Corrupt,
    FilesMissing,
    ModelFailed,
    NotLoaded,
    RuntimeFault,
    TooBusy,
    Unsupported,
)
from runtimes.python_runtime.repository import LOADS_MAX, Repository
from tests.unit.runtimes.python_runtime.conftest import Lay

PATIENT = PatientCaller()


def test_at_the_start_nothing_is_loaded(lay: Lay, repository: Repository, classifier: object) -> None:
    lay("iris", model__joblib=classifier)
    assert repository.loaded() == []
    assert repository.not_loaded() == ["iris"]
    with pytest.raises(NotLoaded, match="Model iris is not loaded"):
        repository.require("iris")


def test_a_loaded_model_is_found_and_measured(lay: Lay, repository: Repository, classifier: object) -> None:
    lay("iris", model__joblib=classifier)
    loaded = repository.load("iris", PATIENT)
    assert repository.require("iris") is loaded
    assert 1000 < loaded.size_bytes < 5000
    assert repository.not_loaded() == []


def test_versions(lay: Lay, repository: Repository, classifier: object) -> None:
    lay("fixed", {"parameters": {"version": "v2"}}, model__joblib=classifier)
    lay("free", model__joblib=classifier)
    for name in ("fixed", "free"):
        repository.load(name, PATIENT)
    assert repository.is_loaded("fixed", "v2")
    assert not repository.is_loaded("fixed", "v1")
    assert repository.is_loaded("free", "v1")
    with pytest.raises(NotLoaded, match="in version v2, not v1"):
        repository.require("fixed", "v1")


def test_unloading(lay: Lay, repository: Repository, classifier: object) -> None:
    lay("iris", model__joblib=classifier)
    repository.load("iris", PATIENT)
    repository.unload("iris")
    assert len(repository) == 0
    with pytest.raises(NotLoaded):
        repository.unload("iris")


def test_loading_again_takes_the_new_files(lay: Lay, repository: Repository, classifier: object) -> None:
    folder = lay("iris", model__joblib=classifier)
    before = repository.load("iris", PATIENT)
    joblib.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), folder / "model.joblib")
    after = repository.load("iris", PATIENT)
    assert (before.model.signature.inputs[0].shape, after.model.signature.inputs[0].shape) == (
        (-1, 4),
        (-1, 1),
    )


def test_when_loading_again_fails_the_old_one_stays(
    lay: Lay, repository: Repository, classifier: object
) -> None:
    folder = lay("iris", model__joblib=classifier)
    before = repository.load("iris", PATIENT)
    (folder / "model.joblib").write_bytes(b"\x80broken")
    with pytest.raises(Corrupt):
        repository.load("iris", PATIENT)
    assert repository.require("iris") is before


@pytest.mark.parametrize(
    ("files", "error", "text"),
    [
        pytest.param({"model__joblib": b"garbage"}, Corrupt, "neither a pickle", id="corrupt"),
        pytest.param({"model__joblib": b"tree\nversion"}, Unsupported, "lightgbm", id="another format"),
        pytest.param({"model__joblib": {"no": "model"}}, Unsupported, "a dict is no model", id="no model"),
        pytest.param(
            {"model__onnx": b"\x80\x04]"}, Unsupported, "begins as a model for pickle", id="a pickle"
        ),
        pytest.param({"model__onnx": b"\x08\x09\xff"}, Corrupt, "cannot be read", id="corrupt onnx"),
        pytest.param({"model__py": b"1/0"}, ModelFailed, "ZeroDivisionError", id="code that fails"),
        pytest.param({}, FilesMissing, "has no file", id="nothing"),
    ],
)
def test_what_cannot_be_loaded_says_why_and_leaves_nothing(
    lay: Lay, repository: Repository, files: dict[str, object], error: type[RuntimeFault], text: str
) -> None:
    lay("m", **files)
    with pytest.raises(error, match=text):
        repository.load("m", PATIENT)
    assert not repository.is_loaded("m")


def test_a_link_that_leads_nowhere_is_a_missing_file(lay: Lay, repository: Repository) -> None:
    folder = lay("m", {"parameters": {"uri": "model.joblib"}})
    (folder / "model.joblib").symlink_to("/nowhere/at/all")
    with pytest.raises(FilesMissing):
        repository.load("m", PATIENT)


def test_too_many_loads_are_turned_away(lay: Lay, repository: Repository) -> None:
    for _ in range(LOADS_MAX):
        assert repository._load_places.acquire(blocking=False)
    with pytest.raises(TooBusy):
        repository.load("iris", PATIENT)


def test_a_repository_without_its_folder_has_no_models(tmp_path: Path, admission: Admission) -> None:
    assert Repository(str(tmp_path / "gone"), admission=admission).not_loaded() == []
