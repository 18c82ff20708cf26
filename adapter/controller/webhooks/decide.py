"""Whether an object of ours may be made or changed.

A runtime is denied if it could not run, or if it would be chance whether it is chosen; all of it is said at
once (reference: serving controller 1.2, 1.3; KServe 1.8). A model is never denied, since ModelMesh has no
webhook for models: what is wrong stands in its status, and whoever applies it is warned. What is not for
many models, or in a namespace without a mesh, is none of our business.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from adapter.controller.config import ControllerConfig
from adapter.controller.manifests.complaints import BadManifest, Complaint
from adapter.controller.manifests.models import read_model
from adapter.controller.manifests.runtime_rules import runtime_complaints
from adapter.controller.manifests.runtimes import read_runtime
from adapter.controller.selection.admission import priority_complaints
from adapter.controller.selection.multi_node import multi_node_complaints
from adapter.controller.webhooks.reviews import Asked, allowed, denied, patched, read
from adapter.domain.kinds import Manifest
from adapter.domain.specs import RuntimeSpec

VALIDATE_RUNTIME: Final = "/validate-serving-modelmesh-io-v1alpha1-servingruntime"
VALIDATE_PREDICTOR: Final = "/validate-serving-modelmesh-io-v1alpha1-predictor"
VALIDATE_SERVICE: Final = "/validate-serving-modelmesh-io-v1beta1-inferenceservice"
MUTATE_RUNTIME: Final = "/mutate-serving-modelmesh-io-v1alpha1-servingruntime"

ADAPTER_ENDPOINT: Final = "port:8085"
"""Where a built-in adapter answers; every runtime of ModelMesh with one says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known when a question comes."""

    config: ControllerConfig = field(default_factory=ControllerConfig)
    runtimes: Sequence[RuntimeSpec] = ()
    """Of all scopes."""
    has_mesh: Callable[[str], bool] = lambda _: True
    """Whether a namespace has one."""


Decide = Callable[[Manifest], Manifest]
"""The answer to a review, as a review; raises `InvalidRequest`."""


def decisions(facts: Callable[[], Facts]) -> Mapping[str, Decide]:
    """What answers at which path; the facts are asked for at each question."""
    return {
        VALIDATE_RUNTIME: lambda review: validate_runtime(review, facts()),
        VALIDATE_PREDICTOR: lambda review: validate_model(review, facts()),
        VALIDATE_SERVICE: lambda review: validate_model(review, facts()),
        MUTATE_RUNTIME: lambda review: mutate_runtime(review, facts()),
    }


def validate_runtime(review: Manifest, facts: Facts) -> Manifest:
    """Denied with every complaint, if it is ours and there is one. Raises `InvalidRequest`."""
    asked = read(review)
    if not _is_runtime_of_ours(asked, facts) or asked.is_leaving or asked.says_nothing_new:
        return allowed(asked)
    complaints = [*multi_node_complaints(asked.manifest, asked.old)]
    try:
        runtime = read_runtime(asked.manifest)
    except BadManifest as error:
        complaints += error.complaints
    else:
        complaints += runtime_complaints(runtime, facts.config)
        complaints += priority_complaints(runtime, facts.runtimes)
    unique = list[Complaint](dict.fromkeys(complaints))
    return denied(asked, unique) if unique else allowed(asked)


def validate_model(review: Manifest, facts: Facts) -> Manifest:
    """Allowed, with a warning for each complaint. Raises `InvalidRequest`."""
    asked = read(review)
    if not facts.has_mesh(asked.namespace) or asked.is_leaving or asked.says_nothing_new:
        return allowed(asked)
    try:
        read_model(asked.manifest)
    except BadManifest as error:
        return allowed(asked, map(str, error.complaints))
    return allowed(asked)


def mutate_runtime(review: Manifest, facts: Facts) -> Manifest:
    """A built-in adapter is at its usual port, where the runtime does not say. Raises `InvalidRequest`."""
    asked = read(review)
    if not _is_runtime_of_ours(asked, facts) or asked.is_leaving:
        return allowed(asked)
    spec = _spec(asked)
    if not isinstance(spec.get("builtInAdapter"), Mapping) or spec.get("grpcEndpoint"):
        return allowed(asked)
    return patched(asked, [{"op": "add", "path": "/spec/grpcEndpoint", "value": ADAPTER_ENDPOINT}])


def _is_runtime_of_ours(asked: Asked, facts: Facts) -> bool:
    """For many models, and of the cluster or of a namespace with a mesh."""
    is_seen = not asked.namespace or facts.has_mesh(asked.namespace)
    return is_seen and _spec(asked).get("multiModel") is True


def _spec(asked: Asked) -> Mapping[str, Any]:
    spec = asked.manifest.get("spec")
    return spec if isinstance(spec, Mapping) else {}
