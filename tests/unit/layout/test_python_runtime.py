import json
from pathlib import PurePosixPath

import pytest

from adapter.domain.ids import ModelId
from adapter.layout.files import PulledFiles
from adapter.layout.plan import Link, Write
from adapter.layout.python_runtime import plan

FOLDER = PurePosixPath("/models/_python_runtime_models/m")


@pytest.mark.parametrize(
    ("model_type", "implementation"),
    [
        ("lightgbm", "mlserver_lightgbm.LightGBMModel"),
        ("sklearn", "mlserver_sklearn.SKLearnModel"),
        ("xgboost", "mlserver_xgboost.XGBoostModel"),
        ("onnx", "python_runtime.onnx"),
        ("pyfunc", "python_runtime.pyfunc"),
        ("python", "python_runtime.pyfunc"),
        ("mllib", None),
        ("custom", None),
    ],
)
def test_the_type_chooses_the_implementation(model_type: str, implementation: str | None) -> None:
    files = PulledFiles(root=PurePosixPath("/models/m/model"), sizes={PurePosixPath(): 1})
    link, settings = plan(ModelId("m"), model_type, files, FOLDER).steps
    assert link == Link(at=PurePosixPath("model"), to=files.root)
    assert isinstance(settings, Write)
    assert json.loads(settings.content).get("implementation") == implementation
