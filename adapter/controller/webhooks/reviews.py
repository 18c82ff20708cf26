"""`AdmissionReview` v1: what is asked, and the forms of an answer."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapter.controller.manifests.complaints import Complaint
from adapter.domain.errors import InvalidRequest
from adapter.domain.kinds import Manifest

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"

WARNINGS_MAX: Final = 16
WARNING_CHARS_MAX: Final = 250
"""The API server cuts a warning at 256 characters, and all of them at 4096."""

_INVALID: Final = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An object that is about to be made, or changed."""

    uid: str
    namespace: str
    """Empty: it is in none."""
    manifest: Manifest
    """With the namespace that it will be in."""
    old: Manifest | None = None
    """What it was before; None: it is made."""

    @property
    def is_leaving(self) -> bool:
        """It is to be deleted, and a change can only be about its finalizers."""
        return _mapping(self.manifest.get("metadata")).get("deletionTimestamp") is not None

    @property
    def says_nothing_new(self) -> bool:
        """Neither its spec nor its annotations, in which all stands that is looked at, are changed."""
        return self.old is not None and _said(self.old) == _said(self.manifest)


def read(review: object) -> Asked:
    """The question. Raises `InvalidRequest`."""
    if not isinstance(review, Mapping) or (review.get("apiVersion"), review.get("kind")) != (
        API_VERSION,
        KIND,
    ):
        raise InvalidRequest(f"this is no {KIND} of {API_VERSION}")
    request = _mapping(review.get("request"))
    uid, manifest, old = request.get("uid"), request.get("object"), request.get("oldObject")
    if not (isinstance(uid, str) and uid):
        raise InvalidRequest("request.uid is missing")
    if not isinstance(manifest, Mapping):
        raise InvalidRequest("request.object is missing: only what is made or changed is looked at")
    namespace = request.get("namespace")
    namespace = namespace if isinstance(namespace, str) else ""
    return Asked(
        uid=uid,
        namespace=namespace,
        manifest=_within(manifest, namespace),
        old=_within(old, namespace) if isinstance(old, Mapping) else None,
    )


def allowed(asked: Asked, warnings: Iterable[str] = ()) -> Manifest:
    """Yes; whoever asked is told the warnings."""
    told = [text[:WARNING_CHARS_MAX] for text in warnings][:WARNINGS_MAX]
    return _answer(asked, {"allowed": True, **({"warnings": told} if told else {})})


def patched(asked: Asked, patch: Sequence[Manifest]) -> Manifest:
    """Yes, with these operations of RFC 6902."""
    if not patch:
        return allowed(asked)
    encoded = base64.b64encode(json.dumps(patch).encode()).decode()
    return _answer(asked, {"allowed": True, "patchType": "JSONPatch", "patch": encoded})


def denied(asked: Asked, complaints: Sequence[Complaint]) -> Manifest:
    """No, for all these reasons; kubectl has a line for each."""
    metadata = _mapping(asked.manifest.get("metadata"))
    details = {
        "group": str(asked.manifest.get("apiVersion", "")).partition("/")[0],
        "kind": str(asked.manifest.get("kind", "")),
        "name": str(metadata.get("name") or metadata.get("generateName") or ""),
        "causes": [
            {"reason": "FieldValueInvalid", "field": each.field, "message": each.text} for each in complaints
        ],
    }
    status = {
        "status": "Failure",
        "code": _INVALID,
        "reason": "Invalid",
        "message": "; ".join(map(str, complaints)),
        "details": details,
    }
    return _answer(asked, {"allowed": False, "status": status})


def _answer(asked: Asked, response: dict[str, Any]) -> Manifest:
    return {"apiVersion": API_VERSION, "kind": KIND, "response": {"uid": asked.uid, **response}}


def _within(manifest: Mapping[str, Any], namespace: str) -> Manifest:
    """With the namespace, which stands beside an object that is made without one."""
    metadata = _mapping(manifest.get("metadata"))
    if not namespace or metadata.get("namespace"):
        return manifest
    return {**manifest, "metadata": {**metadata, "namespace": namespace}}


def _said(manifest: Manifest) -> tuple[object, object]:
    return manifest.get("spec"), _mapping(manifest.get("metadata")).get("annotations")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
