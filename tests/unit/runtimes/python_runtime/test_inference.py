from typing import Any

import numpy as np
import pytest

from adapter.stubs.inference.open_inference_pb2 import ModelInferRequest
from runtimes.python_runtime.admission import Admission, PatientCaller
from runtimes.python_runtime.errors import BadRequest, ModelFailed, NotLoaded
from runtimes.python_runtime.inference import Inference
from runtimes.python_runtime.repository import Repository
from tests.unit.runtimes.python_runtime.conftest import Lay

PATIENT = PatientCaller()


def a_request(model: str, array: np.ndarray, *outputs: str, raw: bool = True) -> ModelInferRequest:
    request = ModelInferRequest(model_name=model, id="41")
    tensor = request.inputs.add(name="input", datatype="FP64", shape=array.shape)
    if raw:
        request.raw_input_contents.append(array.tobytes())
    else:
        tensor.contents.fp64_contents.extend(array.ravel())
    for output in outputs:
        request.outputs.add(name=output)
    return request


@pytest.fixture
def inference(repository: Repository, admission: Admission, lay: Lay, classifier: object) -> Inference:
    lay("iris", {"parameters": {"version": "v3"}}, model__joblib=classifier)
    repository.load("iris", PATIENT)
    return Inference(repository, admission)


@pytest.mark.parametrize("raw", [pytest.param(True, id="raw"), pytest.param(False, id="typed")])
def test_the_answer_is_the_librarys_and_comes_as_it_was_asked(
    inference: Inference, classifier: Any, rows: np.ndarray, raw: bool
) -> None:
    answer = inference.infer(a_request("iris", rows, raw=raw), PATIENT)
    assert (answer.model_name, answer.model_version, answer.id) == ("iris", "v3", "41")
    output = answer.outputs[0]
    assert (output.name, output.datatype, list(output.shape)) == ("predict", "INT64", [3])
    classes = np.frombuffer(answer.raw_output_contents[0], "<i8") if raw else output.contents.int64_contents
    assert list(classes) == classifier.predict(rows).tolist()
    assert bool(answer.raw_output_contents) is raw


def test_outputs_come_as_they_are_named(inference: Inference, rows: np.ndarray) -> None:
    answer = inference.infer(a_request("iris", rows, "predict_proba", "predict"), PATIENT)
    assert [output.name for output in answer.outputs] == ["predict_proba", "predict"]


@pytest.mark.parametrize(
    ("request_", "error", "text"),
    [
        pytest.param(a_request("nobody", np.zeros((1, 4))), NotLoaded, "Model nobody", id="unknown"),
        pytest.param(a_request("iris", np.zeros((1, 3))), BadRequest, r"\[-1, 4\].*\[1, 3\]", id="shape"),
        pytest.param(
            a_request("iris", np.zeros((1, 4)), "what"), BadRequest, "no output 'what'", id="output"
        ),
        pytest.param(a_request("iris", np.full((1, 4), np.nan)), BadRequest, "NaN", id="the library refuses"),
    ],
)
def test_what_is_wrong_is_said(
    inference: Inference, request_: ModelInferRequest, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        inference.infer(request_, PATIENT)


def test_what_the_models_code_raises_is_the_models_fault(
    inference: Inference, repository: Repository, lay: Lay, rows: np.ndarray
) -> None:
    lay("broken", model__py="def predict(inputs):\n    raise KeyError('weights')\n")
    repository.load("broken", PATIENT)
    with pytest.raises(ModelFailed, match="Model broken failed: KeyError"):
        inference.infer(a_request("broken", rows), PATIENT)


def test_a_model_that_batches_answers_alike(
    inference: Inference, repository: Repository, lay: Lay, classifier: Any, rows: np.ndarray
) -> None:
    lay("batched", {"max_batch_size": 8, "max_batch_time": 0.001}, model__joblib=classifier)
    repository.load("batched", PATIENT)
    answer = inference.infer(a_request("batched", rows), PATIENT)
    assert np.frombuffer(answer.raw_output_contents[0], "<i8").tolist() == classifier.predict(rows).tolist()


def test_metadata_are_the_models_own(inference: Inference, repository: Repository) -> None:
    metadata = inference.metadata("iris")
    assert (metadata.name, list(metadata.versions), metadata.platform) == ("iris", ["v3"], "sklearn_joblib")
    assert [(spec.datatype, list(spec.shape)) for spec in metadata.inputs] == [("FP64", [-1, 4])]
    assert [spec.name for spec in metadata.outputs][:2] == ["predict", "predict_proba"]
    assert metadata.properties["size_bytes"] == str(repository.require("iris").size_bytes)
