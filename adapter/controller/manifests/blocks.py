"""Which block of `spec.predictor` says what the model is: `model`, or one of the older schema.

Two sets of rules: ModelMesh's (reference: serving controller 1.4, 2.3), and KServe's for every other mode
(reference: KServe 3).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from adapter.controller.manifests.annotations import SERVING_RUNTIME, annotation
from adapter.controller.manifests.complaints import Complaint
from adapter.controller.manifests.model_shapes import ServiceShape
from adapter.domain.specs import DeploymentMode, Identity

PREDICTOR_FIELD: Final = "spec.predictor"
MODEL: Final = "model"

MODELMESH_FRAMEWORKS: Final = (
    "xgboost",
    "lightgbm",
    "sklearn",
    "tensorflow",
    "onnx",
    "pytorch",
    "triton",
    "pmml",
)
"""The first that is there counts."""

KSERVE_FRAMEWORKS: Final = (
    "sklearn",
    "tensorflow",
    "xgboost",
    "pytorch",
    "triton",
    "onnx",
    "huggingface",
    "pmml",
    "lightgbm",
    "paddle",
)

_V2_BY_DEFAULT_OLD: Final = frozenset({"triton", "onnx", "huggingface"})
_V2_BY_DEFAULT_NEW: Final = frozenset({"triton", "vLLM"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The block that counts."""

    name: str
    content: Mapping[str, object]

    @property
    def field(self) -> str:
        """Its field path."""
        return f"{PREDICTOR_FIELD}.{self.name}"

    @property
    def framework(self) -> str | None:
        """The format that an older block is of; None: `modelFormat` says it."""
        return None if self.name == MODEL else self.name


def modelmesh_block(
    service: ServiceShape, identity: Identity | None, complaints: list[Complaint]
) -> Block | None:
    """The one that ModelMesh takes; None: there is none."""
    written = _written(service, MODELMESH_FRAMEWORKS)
    if service.model is not None:
        if written:
            told = f"cannot have both the model spec and a framework spec; take {written[0].name} out"
            complaints.append(Complaint(PREDICTOR_FIELD, told))
        if identity is not None and SERVING_RUNTIME in identity.annotations:
            told = (
                "cannot have both the model spec and the runtime annotation; "
                f"name the runtime in {PREDICTOR_FIELD}.model.runtime"
            )
            complaints.append(Complaint(annotation(SERVING_RUNTIME), told))
        return Block(name=MODEL, content=service.model)
    if not written:
        known = ", ".join(MODELMESH_FRAMEWORKS)
        told = f"no valid InferenceService predictor framework found: it must have model, or one of {known}"
        complaints.append(Complaint(PREDICTOR_FIELD, told))
        return None
    return written[0]


def kserve_block(service: ServiceShape, complaints: list[Complaint]) -> Block | None:
    """The one that KServe takes; None: there is none, or too much."""
    known = (*KSERVE_FRAMEWORKS, MODEL)
    written = _written(service, known)
    if len(written) != 1:
        told = f"exactly one of [{', '.join(known)}] must be specified in PredictorSpec"
        if service.containers and not written:
            told += "; a server of one's own is a ServingRuntime here, which model.runtime names"
        complaints.append(Complaint(PREDICTOR_FIELD, told))
        return None
    (block,) = written
    if block.content.get("name") is not None:
        told = "the 'name' field is not allowed in standard predictor"
        complaints.append(Complaint(f"{block.field}.name", told))
    return block


def kserve_protocol(block: Block, format_name: str) -> str | None:
    """What KServe fills in where no protocol is named."""
    defaulted = _V2_BY_DEFAULT_NEW if block.framework is None else _V2_BY_DEFAULT_OLD
    return "v2" if format_name in defaulted else None


def block_of(
    mode: DeploymentMode, service: ServiceShape, identity: Identity | None, complaints: list[Complaint]
) -> Block | None:
    """The one that counts in this mode; where that cannot be said, complaints are added."""
    if mode is DeploymentMode.MODELMESH:
        return modelmesh_block(service, identity, complaints)
    return kserve_block(service, complaints)


def _written(service: ServiceShape, names: tuple[str, ...]) -> list[Block]:
    contents = ((name, getattr(service, name)) for name in names)
    return [Block(name=name, content=content) for name, content in contents if content is not None]
