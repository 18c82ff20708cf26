"""The annotations that are read, by name (reference: serving controller 1.1, 1.4; KServe 1.6, 1.10, 3)."""

from typing import Final

_KSERVE: Final = "serving.kserve.io"

# On an InferenceService.
DEPLOYMENT_MODE: Final = f"{_KSERVE}/deploymentMode"
SECRET_KEY: Final = f"{_KSERVE}/secretKey"
SCHEMA_PATH: Final = f"{_KSERVE}/schemaPath"
SERVING_RUNTIME: Final = f"{_KSERVE}/servingRuntime"
"""With the older schema only."""
MODEL_FORMAT: Final = "modelFormat"
"""KServe adds it where it is absent; templates read it."""

# On a runtime.
AUTOSCALER_CLASS: Final = f"{_KSERVE}/autoscalerClass"
METRICS: Final = f"{_KSERVE}/metrics"
TARGET_UTILIZATION: Final = f"{_KSERVE}/targetUtilizationPercentage"
MIN_SCALE: Final = f"{_KSERVE}/min-scale"
MAX_SCALE: Final = f"{_KSERVE}/max-scale"
SERVER_TYPE: Final = f"{_KSERVE}/server-type"
LOADING_CONCURRENCY: Final = "maxLoadingConcurrency"
MODEL_CONCURRENCY: Final = "perModelConcurrencyLimit"
PRODUCT_CONFIG: Final = "productConfig"
"""Names a ConfigMap that must be there before the runtime runs."""

# Ours, on an InferenceService or a Predictor.
MIN_COPIES: Final = "remesh.io/minCopies"
MAX_COPIES: Final = "remesh.io/maxCopies"
PIN: Final = "remesh.io/pin"


def annotation(name: str) -> str:
    """The field path of an annotation."""
    return f"metadata.annotations[{name}]"
