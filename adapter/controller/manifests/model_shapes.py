"""The specs of `Predictor` and `InferenceService` as JSON (reference: serving controller 1.4, 1.5)."""

from typing import Annotated, Literal

from pydantic import Field

from adapter.controller.manifests.reading import Shape
from adapter.controller.manifests.shapes import JsonObject, Strings, Text


class FormatNameShape(Shape):
    """`modelFormat`, or `modelType` of a `Predictor`."""

    name: Text
    version: str | None = None


# Predictor.


class LegacyS3Shape(Shape):
    """`storage.s3`."""

    secret_key: Text
    bucket: str | None = None


class PredictorStorageShape(Shape):
    """`storage` of a `Predictor`."""

    path: str | None = None
    schema_path: str | None = None
    parameters: Strings | None = None
    key: str | None = None
    persistent_volume_claim: object = None
    s3: LegacyS3Shape | None = None


class _RuntimeNameShape(Shape):
    name: str | None = None


class PredictorShape(Shape):
    """`spec` of a `Predictor`."""

    model_type: FormatNameShape
    path: str | None = None
    schema_path: str | None = None
    storage: PredictorStorageShape | None = None
    runtime: _RuntimeNameShape | None = None
    protocol_version: str | None = None
    gpu: Literal["required", "preferred"] | None = None
    service_account_name: str | None = None


# InferenceService.


class StorageShape(Shape):
    """`storage` of an `InferenceService`."""

    key: str | None = None
    path: str | None = None
    schema_path: str | None = None
    parameters: Strings | None = None


class ModelShape(Shape):
    """`model`, or the block of one framework in the older schema, which has no `modelFormat`."""

    model_format: FormatNameShape | None = None
    runtime: str | None = None
    protocol_version: str | None = None
    storage_uri: str | None = None
    storage: StorageShape | None = None


class WorkerShape(Shape):
    """`workerSpec`."""

    pipeline_parallel_size: Annotated[int, Field(ge=1)] | None = None
    tensor_parallel_size: Annotated[int, Field(ge=1)] | None = None
    containers: Annotated[list[JsonObject], Field(max_length=1)] | None = None


class ServiceShape(Shape):
    """`spec.predictor`: which blocks there are; the one that counts is read by itself."""

    model: JsonObject | None = None
    sklearn: JsonObject | None = None
    tensorflow: JsonObject | None = None
    xgboost: JsonObject | None = None
    pytorch: JsonObject | None = None
    triton: JsonObject | None = None
    onnx: JsonObject | None = None
    huggingface: JsonObject | None = None
    pmml: JsonObject | None = None
    lightgbm: JsonObject | None = None
    paddle: JsonObject | None = None
    containers: list[JsonObject] | None = None
    storage_uris: object = None
    worker_spec: WorkerShape | None = None
