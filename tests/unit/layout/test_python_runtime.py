import json
from pathlib import PurePosixPath

import pytest

from adapter.domain.errors import FormatUnsupported
from adapter.domain.ids import ModelId
from adapter.layout.files import PulledFiles
from adapter.layout.plan import Link, Write
from adapter.layout.python_runtime import plan

FOLDER = PurePosixPath("/models/_python_models/m")


@pytest.mark.parametrize(
    ("model_type", "implementation"),
    [
        ("lightgbm", "mlserver_lightgbm.LightGBMModel"),
        ("sklearn", "mlserver_sklearn.SKLearnModel"),
        ("xgboost", "mlserver_xgboost.XGBoostModel"),
        ("onnx", "python_runtime.onnx"),
        ("pyfunc", "python_runtime.pyfunc"),
        ("python", "python_runtime.pyfunc"),
        ("mt", None),
        ("", None),
    ],
)
def test_the_type_chooses_the_implementation(model_type: str, implementation: str | None) -> None:
    files = PulledFiles(root=PurePosixPath("/models/m/model"), sizes={PurePosixPath(): 1})
    link, settings = plan(ModelId("m"), model_type, files, FOLDER).steps
    assert link == Link(at=PurePosixPath("model"), to=files.root)
    assert isinstance(settings, Write)
    assert json.loads(settings.content).get("implementation") == implementation


def test_a_type_that_the_runtime_cannot_run_is_refused() -> None:
    files = PulledFiles(root=PurePosixPath("/models/m/model.joblib"), sizes={PurePosixPath(): 1})
    with pytest.raises(FormatUnsupported, match=r"'tensorflow'; it runs lightgbm, onnx"):
        plan(ModelId("m"), "tensorflow", files, FOLDER)


def test_settings_of_the_model_itself_are_left_to_the_runtime() -> None:
    settings = PurePosixPath("model-settings.json")
    files = PulledFiles(
        root=PurePosixPath("/models/m/model"), sizes={settings: 2}, contents={settings: b"{}"}
    )
    assert plan(ModelId("m"), "custom", files, FOLDER).steps
