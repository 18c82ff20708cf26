"""Which namespaces have a mesh (reference: serving controller 7.1)."""

from collections.abc import Mapping
from typing import Final

from adapter.domain.kinds import Manifest

ENABLED: Final = "modelmesh-enabled"
"""The label; its value is `true` or anything else."""
TERMINATING: Final = "Terminating"


def is_enabled(namespace: Manifest, *, own: str) -> bool:
    """Whether this namespace has one, where the whole cluster is looked after.

    `own`: the controller's, which has one unless its label says otherwise.
    """
    metadata = _part(namespace, "metadata")
    if metadata.get("deletionTimestamp") or _part(namespace, "status").get("phase") == TERMINATING:
        return False
    label = _part(metadata, "labels").get(ENABLED)
    return metadata.get("name") == own if label is None else label == "true"


def _part(manifest: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = manifest.get(name)
    return found if isinstance(found, Mapping) else {}
