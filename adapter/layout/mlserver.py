"""How a model lies for MLServer (reference: runtime adapter 5.2, vectors 11.5)."""

from pathlib import PurePosixPath

from adapter.domain.ids import ModelId
from adapter.layout.files import PulledFiles
from adapter.layout.model_settings import settings_plan
from adapter.layout.plan import LayoutPlan

IMPLEMENTATIONS = {
    "lightgbm": "mlserver_lightgbm.LightGBMModel",
    # ModelMesh writes `mlserver-mllib`, which Python cannot import.
    "mllib": "mlserver_mllib.MLlibModel",
    "sklearn": "mlserver_sklearn.SKLearnModel",
    "xgboost": "mlserver_xgboost.XGBoostModel",
}
"""By the type of the model. Other types leave it to the runtime's own `MLSERVER_MODEL_IMPLEMENTATION`."""


def plan(model_id: ModelId, model_type: str, files: PulledFiles, folder: PurePosixPath) -> LayoutPlan:
    """The whole of `folder`, which is `<root>/_mlserver_models/<model>`. Raises `ModelCorrupt`."""
    return settings_plan(model_id, IMPLEMENTATIONS.get(model_type), files, folder)
