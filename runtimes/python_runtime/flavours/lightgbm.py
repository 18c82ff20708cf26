"""LightGBM: a booster's text file, or a pickle of a booster or of its scikit-learn interface.

One request runs in one thread, see `xgboost`.
"""

from collections.abc import Mapping
from typing import Any

import lightgbm

from runtimes.python_runtime.errors import Corrupt
from runtimes.python_runtime.files import read_file
from runtimes.python_runtime.flavours import sklearn
from runtimes.python_runtime.flavours.lightgbm_text import checked
from runtimes.python_runtime.flavours.model import Model, ModelSource
from runtimes.python_runtime.flavours.pickles import load_pickle
from runtimes.python_runtime.flavours.table import SNIFFED_BYTES, content_of
from runtimes.python_runtime.flavours.tabular import PREDICT, numbers, table_signature
from runtimes.python_runtime.signature import Arrays, Signature, TensorSpec


class LightgbmModel:
    """One booster."""

    __slots__ = ("_booster", "signature")

    def __init__(self, booster: lightgbm.Booster, signature: Signature) -> None:
        self._booster = booster
        self.signature = signature

    def run(self, inputs: Arrays, outputs: tuple[str, ...]) -> Mapping[str, Any]:
        answer = self._booster.predict(numbers(self.signature, inputs), num_threads=1)
        return {outputs[0] if outputs else self.signature.outputs[0].name: answer}


def load(source: ModelSource) -> Model:
    """The model in a file; raises `Corrupt` for what is no whole model."""
    data = read_file(source.path)
    content = content_of(data[:SNIFFED_BYTES])
    if content is not None and content != "lightgbm":
        return _pickled(source)
    text = data.decode(errors="replace")
    try:
        booster = lightgbm.Booster(model_str=checked(text))
    except (Corrupt, lightgbm.basic.LightGBMError) as error:
        raise Corrupt(f"{source.path} cannot be read: {error}") from error
    return LightgbmModel(booster, _signature_of(booster, source))


def _pickled(source: ModelSource) -> Model:
    pickled = load_pickle(source)
    if isinstance(pickled, lightgbm.Booster):
        return LightgbmModel(pickled, _signature_of(pickled, source))
    if hasattr(pickled, "booster_"):
        pickled.set_params(n_jobs=1)
    return sklearn.SklearnModel(pickled, sklearn.signature_of(pickled, source))


def _signature_of(booster: lightgbm.Booster, source: ModelSource) -> Signature:
    width = booster.num_model_per_iteration()
    return table_signature(
        source.settings.inputs,
        source.settings.outputs,
        features=booster.num_feature(),
        outputs=[TensorSpec(name=PREDICT, datatype="FP64", shape=(-1, width) if width > 1 else (-1,))],
        columns=tuple(booster.feature_name()),
    )
