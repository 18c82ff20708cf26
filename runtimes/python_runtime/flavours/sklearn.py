"""scikit-learn, and whatever else is pickled and has `predict` or `transform`.

Outputs are the estimator's methods, by MLServer's names: `predict`, `predict_proba`, `transform`, and further
`decision_function` and `predict_log_proba`. Only the first that there is comes unless others are asked for.

The library's checks of what a request has passed already are switched off (`skip_parameter_validation`; and
`assume_finite` for rows that are finite, since it is the library that must say what it thinks of others). Its
configuration belongs to a thread, so each thread is set up before its first request.
"""

import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sklearn

from runtimes.python_runtime.errors import Unsupported
from runtimes.python_runtime.flavours.linear import shortcut_for
from runtimes.python_runtime.flavours.model import ModelSource
from runtimes.python_runtime.flavours.pickles import load_pickle
from runtimes.python_runtime.flavours.tabular import INPUT_NAME, PREDICT, table, table_signature
from runtimes.python_runtime.signature import Array, Arrays, Signature, TensorSpec, datatype_of
from runtimes.python_runtime.tensors import as_text

METHODS = ("predict", "transform", "predict_proba", "decision_function", "predict_log_proba")

# A model that was fitted on named columns may be given plain rows; it is no news for every request.
warnings.filterwarnings("ignore", message="X does not have valid feature names")

_threads = threading.local()


class SklearnModel:
    """One estimator, or anything else that has its methods."""

    __slots__ = ("_estimator", "_proven", "_shortcut", "signature")

    def __init__(self, estimator: Any, signature: Signature) -> None:
        self._estimator = estimator
        self._shortcut = shortcut_for(estimator)
        self._proven = False
        self.signature = signature

    def run(self, inputs: Arrays, outputs: tuple[str, ...]) -> Mapping[str, Any]:
        _set_up_thread()
        rows = table(self.signature, inputs)
        wanted = outputs or (self.signature.outputs[0].name,)
        if rows.dtype.kind in "fiub" and np.isfinite(rows).all():
            return {name: self._quick(self._method(name), rows) for name in wanted}
        with sklearn.config_context(assume_finite=False):
            text = as_text(INPUT_NAME, rows)
            return {name: self._library(self._method(name), text) for name in wanted}

    def _method(self, output: str) -> str:
        """The first output may bear a declared name."""
        return output if output in METHODS else first_method(self._estimator)

    def _quick(self, method: str, rows: Array) -> Any:
        if self._shortcut is None or method != PREDICT:
            return self._library(method, rows)
        if self._proven:
            return self._shortcut(self._estimator, rows)
        answer = self._library(method, rows)
        if _same(answer, self._shortcut(self._estimator, rows)):
            self._proven = True
        else:
            self._shortcut = None
        return answer

    def _library(self, method: str, rows: Array) -> Any:
        return getattr(self._estimator, method)(rows)


def load(source: ModelSource) -> SklearnModel:
    """The model in a pickle or joblib file."""
    estimator = load_pickle(source)
    return SklearnModel(estimator, signature_of(estimator, source))


def first_method(estimator: Any) -> str:
    """What a request gets that names no output; raises `Unsupported` if there is nothing to ask."""
    method = next((method for method in METHODS if hasattr(estimator, method)), None)
    if method is None:
        raise Unsupported(f"a {type(estimator).__name__} is no model: it has none of {', '.join(METHODS)}")
    return method


@dataclass(frozen=True, slots=True, kw_only=True)
class _Traits:
    """What an estimator says of itself; estimators that say the same have one signature."""

    methods: tuple[str, ...]
    features: int | None
    """None: it takes what only it knows, such as a list of texts."""
    columns: tuple[str, ...]
    classes: int | None
    datatype: str
    """Of what `predict` gives."""
    width: int
    """Of what `predict` gives for one row."""


def signature_of(estimator: Any, source: ModelSource) -> Signature:
    """What the estimator says of its columns and classes."""
    first = first_method(estimator)
    features = getattr(estimator, "n_features_in_", None)
    names = getattr(estimator, "feature_names_in_", None)
    classes = getattr(estimator, "classes_", None)
    labels = classes if isinstance(classes, np.ndarray) else getattr(estimator, "labels_", None)
    traits = _Traits(
        methods=(first, *(method for method in METHODS if method != first and hasattr(estimator, method))),
        features=None if features is None else int(features),
        columns=() if names is None else tuple(map(str, names)),
        classes=len(classes) if isinstance(classes, np.ndarray) else None,
        datatype=(datatype_of(labels.dtype) if isinstance(labels, np.ndarray) else None) or "FP64",
        width=int(getattr(estimator, "n_outputs_", 1)),
    )
    return _signature(traits, source.settings.inputs, source.settings.outputs)


@lru_cache(maxsize=1024)
def _signature(
    traits: _Traits, declared_inputs: tuple[TensorSpec, ...], declared_outputs: tuple[TensorSpec, ...]
) -> Signature:
    return table_signature(
        declared_inputs,
        declared_outputs,
        features=traits.features,
        outputs=[_output(traits, method) for method in traits.methods],
        columns=traits.columns,
    )


def _output(traits: _Traits, method: str) -> TensorSpec:
    datatype = traits.datatype if method == PREDICT else "FP64"
    return TensorSpec(name=method, datatype=datatype, shape=_shape(traits, method))


def _shape(traits: _Traits, method: str) -> tuple[int, ...]:
    if method == PREDICT:
        return (-1,) if traits.width == 1 else (-1, traits.width)
    if traits.classes is None or method == "transform":
        return (-1, -1)
    if method == "decision_function":
        return (-1,) if traits.classes == BINARY else (-1, -1)
    return (-1, traits.classes)


BINARY = 2
"""Of two classes, the score of one says all."""


def _set_up_thread() -> None:
    if not hasattr(_threads, "is_set_up"):
        sklearn.set_config(assume_finite=True, skip_parameter_validation=True)
        _threads.is_set_up = True


def _same(answer: Any, other: Array) -> bool:
    return isinstance(answer, np.ndarray) and answer.dtype == other.dtype and np.array_equal(answer, other)
