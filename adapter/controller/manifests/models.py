"""What declares a model, `InferenceService` or `Predictor`: from the object to a `ModelSpec`."""

from adapter.controller.manifests.inference_services import is_modelmesh, read_service
from adapter.controller.manifests.predictors import read_predictor
from adapter.controller.manifests.reading import kind_among
from adapter.domain.kinds import INFERENCE_SERVICE, PREDICTOR, Manifest
from adapter.domain.specs import ModelSpec


def read_model(manifest: Manifest, *, every_mode: bool = False) -> ModelSpec | None:
    """What it says; None: it is not ours.

    With `every_mode`, as on the local cluster, each `InferenceService` is: those of KServe's modes by its
    rules, and a model may lie in a folder of this machine. Raises `BadManifest` with every complaint.
    """
    if kind_among(manifest, (INFERENCE_SERVICE, PREDICTOR)) is PREDICTOR:
        return read_predictor(manifest)
    if not every_mode and not is_modelmesh(manifest):
        return None
    return read_service(manifest, on_this_machine=every_mode)
