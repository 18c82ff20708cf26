"""How a model lies for the in-house runtime: as for MLServer, with names for what only it runs."""

from pathlib import PurePosixPath

from adapter.domain.ids import ModelId
from adapter.layout import mlserver
from adapter.layout.files import PulledFiles
from adapter.layout.model_settings import settings_plan
from adapter.layout.plan import LayoutPlan

IMPLEMENTATIONS = {
    **{kind: mlserver.IMPLEMENTATIONS[kind] for kind in ("lightgbm", "sklearn", "xgboost")},
    "onnx": "python_runtime.onnx",
    "pyfunc": "python_runtime.pyfunc",
    "python": "python_runtime.pyfunc",
}
"""By the type of the model. For other types the runtime decides by the names of the files."""


def plan(model_id: ModelId, model_type: str, files: PulledFiles, folder: PurePosixPath) -> LayoutPlan:
    """The whole of `folder`, which is `<root>/_python_models/<model>`. Raises `ModelCorrupt`."""
    return settings_plan(model_id, IMPLEMENTATIONS.get(model_type), files, folder)
