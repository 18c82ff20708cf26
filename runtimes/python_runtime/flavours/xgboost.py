"""XGBoost: a booster in JSON or UBJSON (also named `.bst`), or a pickle of its scikit-learn interface.

A file that the scikit-learn interface saved says so, and a classifier answers with class labels then, as it
does in MLServer; a plain booster answers with what its objective gives. One request runs in one thread: the
threads that OpenMP would keep for each of ours cost more than they bring on small models.
"""

import json
from collections.abc import Mapping
from typing import Any

import xgboost

from runtimes.python_runtime.errors import Corrupt
from runtimes.python_runtime.files import read_file
from runtimes.python_runtime.flavours import sklearn
from runtimes.python_runtime.flavours.model import Model, ModelSource
from runtimes.python_runtime.flavours.pickles import load_pickle
from runtimes.python_runtime.flavours.table import SNIFFED_BYTES, content_of
from runtimes.python_runtime.flavours.tabular import PREDICT, numbers, table_signature
from runtimes.python_runtime.signature import Arrays, Signature, TensorSpec

ONE_THREAD = {"nthread": 1}


class XgboostModel:
    """One booster."""

    __slots__ = ("_booster", "signature")

    def __init__(self, booster: xgboost.Booster, signature: Signature) -> None:
        self._booster = booster
        self.signature = signature

    def run(self, inputs: Arrays, outputs: tuple[str, ...]) -> Mapping[str, Any]:
        answer = self._booster.inplace_predict(numbers(self.signature, inputs))
        return {outputs[0] if outputs else self.signature.outputs[0].name: answer}


def load(source: ModelSource) -> Model:
    """The model in a file; raises `Corrupt` for what the library cannot read."""
    data = bytearray(read_file(source.path))
    if content_of(bytes(data[:SNIFFED_BYTES])) != "xgboost":
        return _pickled(source)
    booster = xgboost.Booster(ONE_THREAD)
    try:
        booster.load_model(data)
    except xgboost.core.XGBoostError as error:
        raise Corrupt(f"{source.path} cannot be read: {_first_line(error)}") from error
    if _is_classifier(booster):
        return _classifier(data, source)
    return XgboostModel(booster, _signature_of(booster, source))


def _pickled(source: ModelSource) -> Model:
    pickled = load_pickle(source)
    if isinstance(pickled, xgboost.Booster):
        pickled.set_param(ONE_THREAD)
        return XgboostModel(pickled, _signature_of(pickled, source))
    if hasattr(pickled, "get_booster"):
        pickled.set_params(n_jobs=1)
    return sklearn.SklearnModel(pickled, sklearn.signature_of(pickled, source))


def _is_classifier(booster: xgboost.Booster) -> bool:
    saved_by = booster.attr("scikit_learn")
    return saved_by is not None and json.loads(saved_by).get("_estimator_type") == "classifier"


def _classifier(data: bytearray, source: ModelSource) -> Model:
    classifier = xgboost.XGBClassifier(n_jobs=1)
    classifier.load_model(data)
    return sklearn.SklearnModel(classifier, sklearn.signature_of(classifier, source))


def _signature_of(booster: xgboost.Booster, source: ModelSource) -> Signature:
    learner = json.loads(booster.save_config())["learner"]
    width = max(int(learner["learner_model_param"][name]) for name in ("num_target", "num_class"))
    labels = (
        learner["objective"]["name"] == "multi:softmax"
    )  # the one that answers with a class, not with scores
    return table_signature(
        source.settings.inputs,
        source.settings.outputs,
        features=booster.num_features(),
        outputs=[
            TensorSpec(name=PREDICT, datatype="FP32", shape=(-1,) if width <= 1 or labels else (-1, width))
        ],
        columns=booster.feature_names or (),
    )


def _first_line(error: Exception) -> str:
    """Without the stack trace that the library appends."""
    return str(error).strip().partition("\n")[0]
