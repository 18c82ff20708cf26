"""Where pods may be: as the runtime says, and on machines that our images are made for (3.3)."""

from typing import Any, Final

from adapter.domain.kinds import Manifest

ARCHITECTURES: Final = ("amd64", "arm64", "s390x")
ARCHITECTURE_KEY: Final = "kubernetes.io/arch"
REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"


def with_architectures(affinity: Manifest) -> Manifest:
    """The runtime's affinity with that demand in each of its terms.

    One of the terms must hold, so a further term for the architecture would undo what the others ask for. A
    term that says which architectures it wants is left as it is, and so is an empty one: no machine satisfies
    that.
    """
    nodes: dict[str, Any] = dict(affinity.get("nodeAffinity") or {})
    required: dict[str, Any] = dict(nodes.get(REQUIRED) or {})
    terms = [_with_architectures(term) for term in required.get("nodeSelectorTerms") or ()]
    required["nodeSelectorTerms"] = terms or [{"matchExpressions": [_demand()]}]
    return {**affinity, "nodeAffinity": {**nodes, REQUIRED: required}}


def _with_architectures(term: Manifest) -> Manifest:
    told = list(term.get("matchExpressions") or ())
    is_empty = not told and not term.get("matchFields")
    if is_empty or any(each.get("key") == ARCHITECTURE_KEY for each in told):
        return term
    return {**term, "matchExpressions": [*told, _demand()]}


def _demand() -> Manifest:
    return {"key": ARCHITECTURE_KEY, "operator": "In", "values": list(ARCHITECTURES)}
