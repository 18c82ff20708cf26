"""The example models: really trained, each by its own library, with rows and what the library says of them.

The libraries are heavy and come with the extra `demo`; each is imported when its example is made.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ROWS = 3
"""How many rows each example is asked about."""


def spread(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rows from all over a data set, since many are sorted by what is to be predicted."""
    return np.ascontiguousarray(rows[:: len(rows) // ROWS][:ROWS])


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A trained model, where it lies in the store, and what it must answer."""

    name: str
    format: str
    library: str
    path: str
    content: bytes
    rows: npt.NDArray[np.floating]
    """In the type that the model is asked in."""
    expected: npt.NDArray[np.generic]
    """What the library itself says of `rows`."""
    input_name: str = "predict"


def sklearn_digits() -> Example:
    """A support vector machine that reads handwritten digits (8 x 8 pixels)."""
    import joblib
    from sklearn.datasets import load_digits
    from sklearn.svm import SVC

    pixels, digits = load_digits(return_X_y=True)
    model = SVC(gamma=0.001).fit(pixels, digits)
    content = io.BytesIO()
    joblib.dump(model, content)
    return Example(
        name="digits-sklearn",
        format="sklearn",
        library="scikit-learn",
        path="sklearn/mnist-svm.joblib",
        content=content.getvalue(),
        rows=spread(pixels),
        expected=model.predict(spread(pixels)),
    )


def xgboost_cancer() -> Example:
    """Boosted trees that tell benign from malignant tumours."""
    import xgboost
    from sklearn.datasets import load_breast_cancer

    cells, benign = load_breast_cancer(return_X_y=True)
    matrix = xgboost.DMatrix(cells, benign)
    model = xgboost.train({"objective": "binary:logistic", "nthread": 1}, matrix, num_boost_round=20)
    rows = spread(cells).astype(np.float32)
    return Example(
        name="cancer-xgboost",
        format="xgboost",
        library="XGBoost",
        path="xgboost/breast-cancer.json",
        content=bytes(model.save_raw("json")),
        rows=rows,
        expected=model.predict(xgboost.DMatrix(rows)),
    )


def lightgbm_wine() -> Example:
    """Boosted trees that tell three cultivars of wine apart."""
    import lightgbm
    from sklearn.datasets import load_wine

    wines, cultivars = load_wine(return_X_y=True)
    parameters = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1}
    model = lightgbm.train(parameters, lightgbm.Dataset(wines, cultivars), num_boost_round=20)
    return Example(
        name="wine-lightgbm",
        format="lightgbm",
        library="LightGBM",
        path="lightgbm/wine.bst",
        content=model.model_to_string().encode(),
        rows=spread(wines),
        expected=np.asarray(model.predict(spread(wines))),
    )


def onnx_iris() -> Example:
    """A logistic regression on irises, exported to ONNX and asked through onnxruntime."""
    import onnxruntime
    from skl2onnx import to_onnx
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    flowers, species = load_iris(return_X_y=True)
    rows = spread(flowers).astype(np.float32)
    model = LogisticRegression(max_iter=500).fit(flowers, species)
    content = to_onnx(model, rows, options={"zipmap": False}).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return Example(
        name="iris-onnx",
        format="onnx",
        library="onnxruntime",
        path="onnx/iris.onnx",
        content=content,
        rows=rows,
        input_name=session.get_inputs()[0].name,
        expected=session.run(["label"], {session.get_inputs()[0].name: rows})[0],
    )


ALL: tuple[Callable[[], Example], ...] = (sklearn_digits, xgboost_cancer, lightgbm_wine, onnx_iris)
