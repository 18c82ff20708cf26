from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from runtimes.python_runtime.errors import Unsupported
from runtimes.python_runtime.flavours import sklearn as flavour
from runtimes.python_runtime.signature import TensorSpec

ESTIMATORS: dict[str, Any] = {
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
    "forest": RandomForestRegressor(5, random_state=0),
    "neighbours": KNeighborsClassifier(),
    "bayes": GaussianNB(),
    "boosting": HistGradientBoostingClassifier(max_iter=5),
    "vectors": SVC(),
    "clusters": KMeans(3, n_init=1, random_state=0),
    "outliers": IsolationForest(n_estimators=5, random_state=0),
}


@pytest.fixture
def load(tmp_path: Path, source: Any) -> Any:
    def make(estimator: object, **settings: object) -> flavour.SklearnModel:
        path = tmp_path / "model.joblib"
        joblib.dump(estimator, path)
        return flavour.load(source(path, **settings))

    return make


def described(specs: tuple[TensorSpec, ...]) -> list[str]:
    return [str(spec) for spec in specs]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_answers_are_the_librarys(load: Any, iris: Any, name: str) -> None:
    estimator = ESTIMATORS[name].fit(*iris)
    model = load(estimator)
    for _ in range(2):
        np.testing.assert_array_equal(
            model.run({"input": iris[0]}, ())["predict"], estimator.predict(iris[0])
        )


def test_each_method_is_an_output(load: Any, classifier: Any, rows: np.ndarray) -> None:
    model = load(classifier)
    methods = ("predict", "predict_proba", "decision_function", "predict_log_proba")
    answer = model.run({"input": rows}, methods)
    for method in methods:
        np.testing.assert_array_equal(answer[method], getattr(classifier, method)(rows))


def test_what_a_classifier_says_of_itself(load: Any, classifier: Any) -> None:
    signature = load(classifier).signature
    assert described(signature.inputs) == ["'input' FP64 [-1, 4]"]
    assert described(signature.outputs) == [
        "'predict' INT64 [-1]",
        "'predict_proba' FP64 [-1, 3]",
        "'decision_function' FP64 [-1, -1]",
        "'predict_log_proba' FP64 [-1, 3]",
    ]


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        pytest.param("forest", ["'predict' FP64 [-1]"], id="a regressor"),
        pytest.param("clusters", ["'predict' INT32 [-1]", "'transform' FP64 [-1, -1]"], id="clusters"),
        pytest.param("vectors", ["'predict' INT64 [-1]", "'decision_function' FP64 [-1, -1]"], id="no proba"),
    ],
)
def test_what_others_say_of_themselves(load: Any, iris: Any, name: str, outputs: list[str]) -> None:
    assert described(load(ESTIMATORS[name].fit(*iris)).signature.outputs) == outputs


def test_several_targets(load: Any, iris: Any) -> None:
    model = load(RandomForestRegressor(2).fit(iris[0], iris[0][:, :2]))
    assert described(model.signature.outputs) == ["'predict' FP64 [-1, 2]"]


def test_a_transformer_transforms(load: Any, iris: Any) -> None:
    scaler = StandardScaler().fit(iris[0])
    model = load(scaler)
    assert model.signature.outputs[0].name == "transform"
    np.testing.assert_array_equal(model.run({"x": iris[0]}, ())["transform"], scaler.transform(iris[0]))


def test_texts(load: Any) -> None:
    texts = ["good book", "bad book", "good film", "bad film"]
    estimator = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, ["good", "bad"] * 2)
    model = load(estimator)
    assert described(model.signature.inputs) == ["'input' BYTES [-1]"]
    answer = model.run({"input": np.array([b"a good one", b"a bad one"], object)}, ())
    assert answer["predict"].tolist() == ["good", "bad"]


def test_columns_of_text(load: Any) -> None:
    encoder = OneHotEncoder().fit([["red", "s"], ["blue", "m"]])
    model = load(encoder)
    inputs = {"input": np.array([[b"blue", b"s"]], object)}
    model.signature.check_inputs(inputs)
    expected = encoder.transform([["blue", "s"]]).toarray()
    np.testing.assert_array_equal(model.run(inputs, ())["transform"].toarray(), expected)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_columns_may_come_one_by_one(load: Any, iris: Any, classifier: Any, rows: np.ndarray) -> None:
    classifier = LogisticRegression(max_iter=500).fit(*iris)
    classifier.feature_names_in_ = np.array(["a", "b", "c", "d"], object)
    model = load(classifier)
    inputs = {name: rows[:, place] for place, name in reversed(list(enumerate("abcd")))}
    model.signature.check_inputs(inputs)
    np.testing.assert_array_equal(model.run(inputs, ())["predict"], classifier.predict(rows))


def test_declared_names_are_the_models_names(load: Any, classifier: Any, rows: np.ndarray) -> None:
    model = load(
        classifier,
        inputs=[{"name": "flowers", "datatype": "FP32", "shape": [8, 4]}],
        outputs=[{"name": "species", "datatype": "INT64", "shape": [-1]}],
    )
    assert described(model.signature.inputs) == ["'flowers' FP32 [-1, 4]"]
    assert model.run({"flowers": rows}, ())["species"].tolist() == classifier.predict(rows).tolist()
    assert model.run({"flowers": rows}, ("species",))["species"].tolist() == classifier.predict(rows).tolist()


def test_the_library_judges_what_is_not_finite(load: Any, iris: Any, classifier: Any) -> None:
    rows = np.array([[np.nan, 1, 2, 3]])
    with pytest.raises(ValueError, match="NaN"):
        load(classifier).run({"input": rows}, ())
    tolerant = ESTIMATORS["boosting"].fit(*iris)
    assert load(tolerant).run({"input": rows}, ())["predict"].tolist() == tolerant.predict(rows).tolist()


def test_a_shortcut_that_differs_once_is_never_taken(load: Any, classifier: Any, rows: np.ndarray) -> None:
    model = load(classifier)
    model._shortcut = lambda _, rows: np.full(len(rows), -1)
    for _ in range(2):
        assert model.run({"input": rows}, ())["predict"].tolist() == classifier.predict(rows).tolist()
    assert model._shortcut is None


def test_estimators_that_say_the_same_share_their_signature(load: Any, classifier: Any) -> None:
    assert load(classifier).signature is load(classifier).signature


class Silent(BaseEstimator):  # type: ignore[misc]  # the library has no types
    """No model."""


def test_what_cannot_be_asked_is_no_model(load: Any) -> None:
    with pytest.raises(Unsupported, match="a Silent is no model"):
        load(Silent())
