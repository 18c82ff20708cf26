from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import pytest

from runtimes.python_runtime.errors import Corrupt, Unsupported
from runtimes.python_runtime.flavours import lightgbm as flavour

QUIET: dict[str, Any] = {"verbosity": -1, "num_threads": 1}


def trained(iris: Any, **parameters: object) -> lightgbm.Booster:
    rows, classes = iris
    return lightgbm.train({**QUIET, **parameters}, lightgbm.Dataset(rows, classes), 3)


@pytest.mark.parametrize(
    ("parameters", "shape"),
    [
        pytest.param({"objective": "multiclass", "num_class": 3}, (-1, 3), id="classes"),
        pytest.param({"objective": "regression"}, (-1,), id="values"),
    ],
)
def test_a_booster_answers_as_the_library_does(
    tmp_path: Path, source: Any, iris: Any, parameters: dict[str, object], shape: tuple[int, ...]
) -> None:
    booster = trained(iris, **parameters)
    booster.save_model(tmp_path / "model.bst")
    model = flavour.load(source(tmp_path / "model.bst"))
    assert model.signature.inputs[0].shape == (-1, 4)
    assert model.signature.outputs[0].shape == shape
    np.testing.assert_array_equal(model.run({"input": iris[0]}, ())["predict"], booster.predict(iris[0]))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(
            lambda iris: lightgbm.LGBMClassifier(n_estimators=3, **QUIET).fit(*iris), id="sklearn interface"
        ),
        pytest.param(lambda iris: trained(iris, objective="regression"), id="booster"),
    ],
)
def test_pickles_are_loaded(tmp_path: Path, source: Any, iris: Any, make: Callable[[Any], Any]) -> None:
    made, path = make(iris), tmp_path / "model.joblib"
    joblib.dump(made, path)
    answer = flavour.load(source(path)).run({"input": iris[0]}, ())["predict"]
    np.testing.assert_array_equal(answer, made.predict(iris[0]))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"", Corrupt, id="empty"),
        pytest.param(b"tree\nversion=v4\n", Corrupt, id="cut off"),
        pytest.param(b"garbage", Corrupt, id="garbage"),
        pytest.param(b'{"learner"', Unsupported, id="xgboost"),
    ],
)
def test_what_is_no_model_is_refused(
    tmp_path: Path, source: Any, data: bytes, error: type[Exception]
) -> None:
    path = tmp_path / "model.txt"
    path.write_bytes(data)
    with pytest.raises(error):
        flavour.load(source(path))
