"""How a model lies for the in-house runtime: as for MLServer, with names for what only it runs."""

from pathlib import PurePosixPath

from adapter.domain.errors import FormatUnsupported
from adapter.domain.ids import ModelId
from adapter.layout import mlserver
from adapter.layout.files import PulledFiles
from adapter.layout.model_settings import SETTINGS, settings_plan
from adapter.layout.plan import LayoutPlan

IMPLEMENTATIONS = {
    **{kind: mlserver.IMPLEMENTATIONS[kind] for kind in ("lightgbm", "sklearn", "xgboost")},
    "onnx": "python_runtime.onnx",
    "pyfunc": "python_runtime.pyfunc",
    "python": "python_runtime.pyfunc",
}
"""By the type of the model."""

UNTYPED = frozenset({"", "mt", "rt"})
"""What is left of ModelMesh's types (`mt:x`, `rt:x`) when the key names none: the files' names decide."""


def plan(model_id: ModelId, model_type: str, files: PulledFiles, folder: PurePosixPath) -> LayoutPlan:
    """The whole of `folder`, which is `<root>/_python_models/<model>`.

    Raises `FormatUnsupported`, or `ModelCorrupt` for settings that cannot be used.
    """
    implementation = IMPLEMENTATIONS.get(model_type)
    if implementation is None and model_type not in UNTYPED and SETTINGS not in files.sizes:
        raise FormatUnsupported(
            f"the in-house runtime cannot run {model_id}, whose type is {model_type!r}; "
            f"it runs {', '.join(sorted(IMPLEMENTATIONS))}"
        )
    return settings_plan(model_id, implementation, files, folder)
