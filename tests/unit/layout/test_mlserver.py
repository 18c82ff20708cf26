import json
from pathlib import PurePosixPath

import pytest

from adapter.domain.ids import ModelId
from adapter.layout.files import PulledFiles
from adapter.layout.mlserver import IMPLEMENTATIONS, plan
from adapter.layout.plan import Write


@pytest.mark.parametrize(
    ("model_type", "implementation"),
    [
        ("lightgbm", "mlserver_lightgbm.LightGBMModel"),
        ("sklearn", "mlserver_sklearn.SKLearnModel"),
        ("xgboost", "mlserver_xgboost.XGBoostModel"),
        ("mllib", "mlserver_mllib.MLlibModel"),
        ("custom", None),
    ],
)
def test_the_type_chooses_the_implementation(model_type: str, implementation: str | None) -> None:
    files = PulledFiles(root=PurePosixPath("/models/m/model"), sizes={PurePosixPath(): 1})
    settings = plan(ModelId("m"), model_type, files, PurePosixPath("/models/_mlserver_models/m")).steps[-1]
    assert isinstance(settings, Write)
    assert json.loads(settings.content).get("implementation") == implementation


def test_every_implementation_has_a_name_that_python_can_import() -> None:
    assert all(part.isidentifier() for name in IMPLEMENTATIONS.values() for part in name.split("."))
