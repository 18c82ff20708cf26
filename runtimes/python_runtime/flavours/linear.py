"""The arithmetic of scikit-learn's linear models, without the checks around it.

`predict` of one row takes the library 100 us and more, of which the arithmetic is 3: the rest asks again what
has been checked already. Where an estimator uses the library's own linear `predict`, unchanged, the same
operations on the same arrays are done here. `sklearn` takes this way for a model only once it gave the very
answer that the library gave to that model's first request.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from runtimes.python_runtime.signature import Array

Shortcut = Callable[[Any, Array], Array]
"""(estimator, finite rows of the right number of columns) -> what `predict` gives."""


def shortcut_for(estimator: Any) -> Shortcut | None:
    """The shortcut for this estimator's `predict`; None if there is none."""
    base = sys.modules.get("sklearn.linear_model._base")  # a linear model has it imported
    coefficients = getattr(estimator, "coef_", None)
    if base is None or not isinstance(coefficients, np.ndarray):
        return None
    kind, classifier, regressor = type(estimator), base.LinearClassifierMixin, base.LinearModel
    predict = getattr(kind, "predict", None)
    if predict is classifier.predict and kind.decision_function is classifier.decision_function:
        return _classes if coefficients.ndim == MATRIX else None
    several = getattr(
        base, "MultiOutputLinearModel", regressor
    )  # younger than the other two; it only delegates
    if predict in (regressor.predict, several.predict):
        return _values if kind._decision_function is regressor._decision_function else None  # noqa: SLF001
    return None


MATRIX = 2


def _classes(estimator: Any, rows: Array) -> Array:
    scores = rows @ estimator.coef_.T + estimator.intercept_
    is_binary = scores.shape[1] == 1
    places = (scores.reshape(-1) > 0).astype(np.intp) if is_binary else scores.argmax(axis=1)
    answer: Array = estimator.classes_.take(places, axis=0)
    return answer


def _values(estimator: Any, rows: Array) -> Array:
    answer: Array = rows @ estimator.coef_.T + estimator.intercept_  # .T of a vector is the vector
    return answer
