import gc
import sys
from typing import Any

import numpy as np
import pytest

from runtimes.python_runtime.errors import Corrupt, FilesMissing, ModelFailed, RuntimeFault
from runtimes.python_runtime.flavours import pyfunc as flavour
from tests.unit.runtimes.python_runtime.conftest import Lay

X = {"x": np.array([1.0, 2.0])}


@pytest.fixture
def load(lay: Lay, source: Any) -> Any:
    def make(settings: dict[str, object] | None = None, **files: str) -> flavour.PyfuncModel:
        return flavour.load(source(lay("m", settings, **files), **(settings or {})))

    return make


def test_a_module_with_predict(load: Any) -> None:
    assert load(model__py="def predict(inputs): return inputs['x'] * 2").run(X, ())["output"].tolist() == [
        2,
        4,
    ]


def test_load_makes_what_is_asked(load: Any) -> None:
    code = """
class Scaled:
    def __init__(self, factor): self.factor = factor
    def predict(self, inputs): return {"y": inputs["x"] * self.factor, "n": [len(inputs["x"])]}
def load(folder): return Scaled(float((folder / "factor.txt").read_text()))
"""
    model = load(model__py=code, factor__txt="3")
    assert model.run(X, ())["y"].tolist() == [3, 6]
    assert list(model.run(X, ("n",))) == ["n"]


def test_settings_name_a_function(load: Any) -> None:
    model = load({"implementation": "mine.double"}, mine__py="def double(inputs): return inputs['x'] * 2")
    assert model.run(X, ())["output"].tolist() == [2, 4]


def test_settings_name_a_class_and_what_it_is_made_with(load: Any) -> None:
    code = """
from .helper import times
class Model:
    def __init__(self, folder, factor): self.factor = factor
    def predict(self, inputs): return times(inputs["x"], self.factor)
"""
    settings = {
        "implementation": "mine.Model",
        "parameters": {"extra": {"factor": 5}},
        "inputs": [{"name": "x", "datatype": "FP64", "shape": [-1]}],
        "outputs": [{"name": "y", "datatype": "FP64", "shape": [-1]}],
    }
    model = load(settings, mine__py=code, helper__py="def times(x, factor): return x * factor")
    assert model.run(X, ())["y"].tolist() == [5, 10]
    assert (model.signature.inputs[0].name, model.signature.outputs[0].name) == ("x", "y")


def test_two_models_never_share_a_module(lay: Lay, source: Any) -> None:
    models = []
    for name, number in (("a", 1), ("b", 2)):
        folder = lay(
            name, model__py="from . import same\ndef predict(_): return [same.N]", same__py=f"N = {number}"
        )
        models.append(flavour.load(source(folder)))
    assert [model.run(X, ())["output"] for model in models] == [[1], [2]]


def test_an_unloaded_model_leaves_no_module(load: Any) -> None:
    model = load(model__py="import json\ndef predict(_): return [1]")
    assert any(name.startswith(flavour.__name__ + "_") for name in sys.modules)
    del model
    gc.collect()
    assert not any(name.startswith(flavour.__name__ + "_") for name in sys.modules)


@pytest.mark.parametrize(
    ("settings", "files", "error", "text"),
    [
        pytest.param({}, {"model__py": "def f(:"}, Corrupt, "not Python", id="syntax"),
        pytest.param({}, {"model__py": "1/0"}, ModelFailed, "ZeroDivision", id="import fails"),
        pytest.param({}, {"model__py": "x = 1"}, FilesMissing, "no predict", id="no predict"),
        pytest.param({}, {"other__py": ""}, FilesMissing, "no module model", id="no module"),
        pytest.param(
            {"implementation": "a.B"}, {"a__py": ""}, FilesMissing, "no function or class B", id="no name"
        ),
        pytest.param(
            {}, {"model__py": "def load(folder): raise OSError('disk')"}, ModelFailed, "disk", id="load fails"
        ),
    ],
)
def test_what_cannot_be_loaded_says_why_and_leaves_no_module(
    load: Any, settings: dict[str, object], files: dict[str, str], error: type[RuntimeFault], text: str
) -> None:
    with pytest.raises(error, match=text):
        load(settings, **files)
    assert not any(name.startswith(flavour.__name__ + "_") for name in sys.modules)


def test_an_output_that_the_model_does_not_give_is_the_callers_fault(load: Any) -> None:
    with pytest.raises(ValueError, match=r"no outputs \['z'\]"):
        load(model__py="def predict(inputs): return {'y': [1]}").run(X, ("z",))
