from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import (
    Lasso,
    LinearRegression,
    LogisticRegression,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.svm import LinearSVC

from runtimes.python_runtime.flavours.linear import shortcut_for

ROWS, CLASSES = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3
NAMES = np.array(["setosa", "versicolor", "virginica"])[CLASSES]

LINEAR = {
    "three classes": LogisticRegression().fit(ROWS, CLASSES),
    "two classes": LogisticRegression().fit(ROWS, CLASSES == 1),
    "classes by name": SGDClassifier(random_state=0).fit(ROWS, NAMES),
    "support vectors": LinearSVC(random_state=0).fit(ROWS, CLASSES),
    "regression": LinearRegression().fit(ROWS, ROWS[:, 0]),
    "several targets": LinearRegression().fit(ROWS, ROWS[:, :2]),
}

TABLES = st.sampled_from(["f8", "f4", "f2", "i8", "u1", "?"]).flatmap(
    lambda dtype: hnp.arrays(
        dtype,
        st.tuples(st.integers(1, 5), st.just(4)),
        elements=st.floats(-100, 100, width=16) if dtype.startswith("f") else None,
    )
)


@pytest.mark.parametrize("name", LINEAR)
@settings(max_examples=25)
@given(rows=TABLES)
def test_the_shortcut_gives_what_the_library_gives(name: str, rows: np.ndarray) -> None:
    estimator: Any = LINEAR[name]
    shortcut = shortcut_for(estimator)
    assert shortcut is not None
    answer, expected = shortcut(estimator, rows), estimator.predict(rows)
    assert answer.dtype == expected.dtype
    np.testing.assert_array_equal(answer, expected)


class Stubborn(LogisticRegression):  # type: ignore[misc]  # the library has no types
    """Has a way of its own."""

    def decision_function(self, X: Any) -> Any:  # noqa: N803  as the base class has it
        return -super().decision_function(X)


@pytest.mark.parametrize(
    "estimator",
    [
        pytest.param(DummyClassifier().fit(ROWS, CLASSES), id="not linear"),
        pytest.param(Stubborn().fit(ROWS, CLASSES), id="changed"),
        pytest.param(LogisticRegression().fit(ROWS, CLASSES).sparsify(), id="sparse"),
        pytest.param(RidgeClassifier().fit(ROWS, CLASSES), id="another predict"),
        pytest.param(Lasso().fit(ROWS, ROWS[:, 0]), id="another decision function"),
        pytest.param(LogisticRegression(), id="not fitted"),
        pytest.param(object(), id="no estimator"),
    ],
)
def test_where_the_library_does_something_else_there_is_no_shortcut(estimator: object) -> None:
    assert shortcut_for(estimator) is None
