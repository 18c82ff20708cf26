"""Small trained models as bytes, and their registrations."""

import io
import json
from functools import cache
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from adapter.domain.records import ModelInfo
from adapter.stubs.inference import open_inference_pb2 as v2

BUCKET = "models"


def dumped(model: object) -> bytes:
    content = io.BytesIO()
    joblib.dump(model, content)
    return content.getvalue()


@cache
def digits_model() -> Any:
    from sklearn.datasets import load_digits

    pixels, digits = load_digits(return_X_y=True)
    return SVC(gamma=0.001).fit(pixels[:600], digits[:600])


def constant_model(answer: int) -> Any:
    """A model of 4 features that always answers the same: a wrong one would be noticed."""
    rows = np.random.default_rng(answer).normal(size=(20, 4))
    model = LogisticRegression().fit(rows, [0] * 10 + [1] * 10)
    model.classes_ = np.array([answer, answer])
    return model


def info(path: str, *, key: str = "localMinIO", kind: str = "sklearn", **extra: object) -> ModelInfo:
    fields = {"storage_key": key, "model_type": {"name": kind}} | extra
    return ModelInfo(type=kind, path=path, key=json.dumps(fields))


def request(model: str, rows: npt.NDArray[np.float64]) -> v2.ModelInferRequest:
    message = v2.ModelInferRequest(model_name=model, raw_input_contents=[rows.tobytes()])
    message.inputs.add(name="predict", datatype="FP64", shape=rows.shape)
    return message


ONE_ROW = np.array([[1.0, 2.0, 3.0, 4.0]])


def answers(response: v2.ModelInferResponse) -> list[int]:
    output = response.outputs[0]
    if response.raw_output_contents:
        return [int(value) for value in np.frombuffer(response.raw_output_contents[0], dtype=np.int64)]
    return [int(value) for value in output.contents.int64_contents]
