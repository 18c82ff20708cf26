"""Words for what is observed of a model: `observed(reported(loaded()))`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from adapter.controller.statuses.standing import Observed
from adapter.controller.verdicts import Chosen, MeshAnswer, NoRuntime, Refusal, Served
from adapter.domain.ids import InstanceId
from adapter.domain.records import VModelRecord
from adapter.domain.specs import (
    FailureReason,
    Identity,
    ModelFormat,
    ModelSpec,
    RuntimeSpec,
    Source,
    StorageSpec,
)
from adapter.domain.status import CopyStatus, ModelReport, ModelStatus
from adapter.mesh.vmodel_states import VModelStatus
from adapter.mesh.vmodels import VModelReport

NOW_MS: Final = 1_760_000_000_000
NOW: Final = "2025-10-09T08:53:20Z"
SERVED: Final = Served(
    grpc_url="grpc://modelmesh-serving.ns:8033", rest_url="http://modelmesh-serving.ns:8008"
)
OLD: Final = "mnist__isvc-0000000000"
NEW: Final = "mnist__isvc-1111111111"
NO_INSTANCE: Final = "There are no running instances that meet the label requirements of type "

RUNTIME: Final = RuntimeSpec(identity=Identity(name="mlserver-1.x"), multi_model=True)
CHOSEN: Final = Chosen(runtimes=(RUNTIME,), type="mt:sklearn")
NO_RUNTIME: Final = NoRuntime(
    type="mt:foo",
    reason=FailureReason.NO_SUPPORTING_RUNTIME,
    message="No ServingRuntime supports specified model type and/or protocol",
    refusals=(Refusal(runtime="mlserver-1.x", because="it does not serve foo"),),
)
NOT_RECOGNIZED: Final = NoRuntime(
    type="rt:x",
    reason=FailureReason.RUNTIME_NOT_RECOGNIZED,
    message="Specified runtime name not recognized",
)


def a_model(**changes: Any) -> ModelSpec:
    model = ModelSpec(
        identity=Identity(name="mnist", namespace="ns"),
        source=Source.INFERENCE_SERVICE,
        format=ModelFormat(name="sklearn"),
        storage=StorageSpec(path="sklearn/mnist-svm.joblib", key="localMinIO", parameters={}),
    )
    return replace(model, **changes)


def told(status: ModelStatus, *errors: str, copies: tuple[CopyStatus, ...] = ()) -> ModelReport:
    return ModelReport(status=status, errors=errors, copies=copies)


def a_copy(
    status: ModelStatus = ModelStatus.UNKNOWN, *, at: str = "abc-12345", ms: int = NOW_MS
) -> CopyStatus:
    return CopyStatus(instance=InstanceId(at), status=status, since_ms=ms)


def loaded() -> ModelReport:
    return told(ModelStatus.LOADED, copies=(a_copy(),))


def loading() -> ModelReport:
    return told(ModelStatus.LOADING, copies=(a_copy(),))


def not_loaded() -> ModelReport:
    return told(ModelStatus.NOT_LOADED)


def failed(text: str = "INTERNAL: no such file") -> ModelReport:
    return told(ModelStatus.LOADING_FAILED, text, copies=(a_copy(ModelStatus.LOADING_FAILED),))


def no_instance(type_: str = "mt:sklearn: [mt:sklearn]") -> ModelReport:
    return failed(NO_INSTANCE + type_)


def reported(
    active: ModelReport | None,
    target: ModelReport | None = None,
    status: VModelStatus | None = None,
) -> VModelReport:
    """Of an alias that stands for its target, or with a target: is on its way there."""
    if status is None:
        status = VModelStatus.DEFINED if target is None else VModelStatus.TRANSITIONING
    record = VModelRecord(active=NEW if target is None else OLD, target=NEW, owner="isvc")
    return VModelReport(record=record, status=status, active=active, target=target)


def observed(answer: MeshAnswer, **changes: Any) -> Observed:
    there = Observed(answer=answer, served=SERVED, now_ms=NOW_MS, target=NEW, selection=CHOSEN, instances=1)
    return replace(there, **changes)


def written(status: Any) -> Any:
    """What the API server has after a merge patch with this."""
    if not isinstance(status, Mapping):
        return status
    return {name: written(value) for name, value in status.items() if value is not None}
