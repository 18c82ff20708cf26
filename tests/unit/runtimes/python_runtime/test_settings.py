import json

import pytest

from runtimes.python_runtime.errors import Corrupt
from runtimes.python_runtime.settings import NOTHING_SAID, ModelSettings, read_settings
from runtimes.python_runtime.signature import TensorSpec


def read(document: object) -> ModelSettings:
    return read_settings(json.dumps(document).encode())


def test_what_the_adapter_writes_is_read() -> None:
    settings = read(
        {
            "name": "iris",
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": "/models/iris/model.joblib", "version": "v7", "extra": {"deep": [1]}},
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
            "outputs": [{"name": "y", "datatype": "INT64", "shape": [-1], "parameters": {}}],
        }
    )
    assert settings == ModelSettings(
        implementation="mlserver_sklearn.SKLearnModel",
        uri="/models/iris/model.joblib",
        version="v7",
        extra={"deep": [1]},
        inputs=(TensorSpec(name="x", datatype="FP32", shape=(-1, 4)),),
        outputs=(TensorSpec(name="y", datatype="INT64", shape=(-1,)),),
    )


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({}, id="empty"),
        pytest.param({"parameters": None, "inputs": None, "name": None}, id="null is absent"),
        pytest.param({"parallel_workers": 4, "parameters": {"content_type": "np"}}, id="of other servers"),
    ],
)
def test_what_is_not_ours_is_skipped(document: object) -> None:
    assert read(document) == NOTHING_SAID


@pytest.mark.parametrize(
    ("document", "field"),
    [
        pytest.param([], "the file", id="no object"),
        pytest.param({"parameters": []}, "parameters", id="parameters"),
        pytest.param({"parameters": {"uri": 7}}, "uri in parameters", id="uri"),
        pytest.param({"implementation": ["a"]}, "implementation", id="implementation"),
        pytest.param({"max_batch_size": "8"}, "max_batch_size", id="text for a number"),
        pytest.param({"max_batch_size": True}, "max_batch_size", id="a truth value for a number"),
        pytest.param({"inputs": [{"datatype": "FP32"}]}, r"name in inputs\[0\]", id="no name"),
        pytest.param({"inputs": [{"name": "x", "datatype": "FP31"}]}, "datatype", id="no such datatype"),
        pytest.param(
            {"outputs": [{"name": "x", "datatype": "FP32", "shape": [-2]}]}, "shape", id="impossible shape"
        ),
    ],
)
def test_a_wrong_field_is_named(document: object, field: str) -> None:
    with pytest.raises(Corrupt, match=field):
        read(document)


def test_what_is_no_json_is_corrupt() -> None:
    with pytest.raises(Corrupt, match="not JSON"):
        read_settings(b"{")


@pytest.mark.parametrize(
    ("size", "time_s", "batches"),
    [
        pytest.param(8, 0.01, True, id="both"),
        pytest.param(1, 0.01, False, id="one request is no batch"),
        pytest.param(8, 0, False, id="no time to wait"),
    ],
)
def test_batching_wants_a_size_and_a_time(size: int, time_s: float, batches: bool) -> None:
    assert read({"max_batch_size": size, "max_batch_time": time_s}).batches is batches
