"""Steps of the rows of the management contract: one call each, with what it is answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LEGACY = "com.ibm.watson.tas.proto.TasRuntime"
INFER = "inference.GRPCInferenceService/ModelInfer"
WAIT_S_MAX = 60.0
DEFAULT_OWNER = "the-default"
"""`MM_DEFAULT_VMODEL_OWNER` of the mesh that is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call, and what it is answered."""

    method: str
    request: Mapping[str, Any]
    code: str = "OK"
    text: str = ""
    """That the error's description holds; names in braces are those of the row."""
    exact: bool = False
    """It is the whole description."""
    answer: Mapping[str, Any] = field(default_factory=dict)
    """These fields, whatever else there is. Of a list, so many elements that have these fields."""
    eventually: bool = False
    """It is asked again until the answer is so."""
    timeout_s: float = WAIT_S_MAX
    headers: Mapping[str, str] = field(default_factory=dict)


def call(method: str, request: Mapping[str, Any] | None = None, **expected: Any) -> Step:
    return Step(method=method, request=request or {}, **expected)


def info(path: str = "SIZE_1000_0_0", type_: str = "t", **more: str) -> dict[str, str]:
    return {"type": type_, "path": path, **more}


NO_NAME = "must provide non-empty modelId"
QUICK, SLOW, BAD = info(), info("SIZE_1000_2000_0"), info("FAIL_bad file")


def register(model: str, how: Mapping[str, str] = QUICK, **fields: Any) -> Step:
    expected = {name: fields.pop(name) for name in ("code", "text", "answer", "timeout_s") if name in fields}
    return call("registerModel", {"modelId": model, "modelInfo": how, **fields}, **expected)


def loaded(model: str, how: Mapping[str, str] = QUICK) -> Step:
    return register(model, how, loadNow=True, sync=True, answer={"status": "LOADED"})


def status(model: str, answer: str | Mapping[str, Any], **expected: Any) -> Step:
    answer = {"status": answer} if isinstance(answer, str) else answer
    return call("getModelStatus", {"modelId": model}, answer=answer, **expected)


def set_(vmodel: str, target: str, **fields: Any) -> Step:
    expected = {name: fields.pop(name) for name in ("code", "text", "exact", "answer") if name in fields}
    return call("setVModel", {"vModelId": vmodel, "targetModelId": target, **fields}, **expected)


def alias(vmodel: str, answer: Mapping[str, Any], owner: str = "", **expected: Any) -> Step:
    return call("getVModelStatus", {"vModelId": vmodel, "owner": owner}, answer=answer, **expected)


def at(active: str, target: str = "", status: str = "DEFINED", **more: Any) -> dict[str, Any]:
    """An alias that stands for this model."""
    return {"status": status, "activeModelId": active, "targetModelId": target or active, **more}


NO_ALIAS = {"status": "NOT_FOUND", "activeModelId": "", "targetModelId": "", "owner": ""}
COPY = [{"copyStatus": "UNKNOWN"}]
"""ModelMesh does not tell a loading copy from a loaded one, and lists both so."""
