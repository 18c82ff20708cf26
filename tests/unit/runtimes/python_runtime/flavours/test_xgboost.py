from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import xgboost

from runtimes.python_runtime.errors import Corrupt, Unsupported
from runtimes.python_runtime.flavours import xgboost as flavour


def trained(iris: Any, objective: str = "multi:softprob", **parameters: object) -> xgboost.Booster:
    rows, classes = iris
    labels = classes if objective.startswith("multi") else (classes == 1).astype(float)
    width = {"num_class": 3} if objective.startswith("multi") else {}
    return xgboost.train(
        {"objective": objective, "max_depth": 2, **width, **parameters}, xgboost.DMatrix(rows, labels), 3
    )


@pytest.mark.parametrize("name", ["model.json", "model.ubj"])
@pytest.mark.parametrize(
    ("objective", "shape"),
    [
        pytest.param("multi:softprob", (-1, 3), id="probabilities"),
        pytest.param("multi:softmax", (-1,), id="classes"),
        pytest.param("binary:logistic", (-1,), id="one probability"),
        pytest.param("reg:squarederror", (-1,), id="a value"),
    ],
)
def test_a_booster_answers_as_the_library_does(
    tmp_path: Path, source: Any, iris: Any, name: str, objective: str, shape: tuple[int, ...]
) -> None:
    booster = trained(iris, objective)
    booster.save_model(tmp_path / name)
    model = flavour.load(source(tmp_path / name))
    assert model.signature.inputs[0].shape == (-1, 4)
    assert model.signature.outputs[0].shape == shape
    answer = model.run({"input": iris[0]}, ())["predict"]
    np.testing.assert_array_equal(answer, booster.predict(xgboost.DMatrix(iris[0])))


def test_a_saved_classifier_answers_with_classes(tmp_path: Path, source: Any, iris: Any) -> None:
    classifier = xgboost.XGBClassifier(n_estimators=3).fit(*iris)
    classifier.save_model(tmp_path / "model.json")
    model = flavour.load(source(tmp_path / "model.json"))
    answer = model.run({"input": iris[0]}, ("predict", "predict_proba"))
    np.testing.assert_array_equal(answer["predict"], classifier.predict(iris[0]))
    np.testing.assert_array_equal(answer["predict_proba"], classifier.predict_proba(iris[0]))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(
            lambda iris: xgboost.XGBRegressor(n_estimators=3).fit(*iris), id="scikit-learn interface"
        ),
        pytest.param(lambda iris: trained(iris, "reg:squarederror"), id="booster"),
    ],
)
def test_pickles_are_loaded(tmp_path: Path, source: Any, iris: Any, make: Callable[[Any], Any]) -> None:
    path = tmp_path / "model.bst"
    joblib.dump(make(iris), path)
    model = flavour.load(source(path))
    assert model.run({"input": iris[0]}, ())["predict"].shape == (150,)


@pytest.mark.parametrize("part", [0.01, 0.3, 0.9])
def test_a_file_that_is_cut_off_is_corrupt(tmp_path: Path, source: Any, iris: Any, part: float) -> None:
    path = tmp_path / "model.ubj"
    trained(iris).save_model(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(Corrupt, match="cannot be read"):
        flavour.load(source(path))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"", Corrupt, id="empty"),
        pytest.param(b"garbage", Corrupt, id="garbage"),
        pytest.param(b'{"a": 1}', Corrupt, id="other json"),
        pytest.param(b"tree\nversion", Unsupported, id="lightgbm"),
    ],
)
def test_what_is_no_model_is_refused(
    tmp_path: Path, source: Any, data: bytes, error: type[Exception]
) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(data)
    with pytest.raises(error):
        flavour.load(source(path))
