"""`metadata`: which object it is."""

from typing import Final

from adapter.controller.manifests.complaints import Complaint
from adapter.controller.manifests.reading import Shape, fitted, section
from adapter.controller.manifests.shapes import Label, Strings, Subdomain
from adapter.domain.kinds import Kind, Manifest
from adapter.domain.specs import Identity


class _Metadata(Shape):
    name: Subdomain
    namespace: Label | None = None
    labels: Strings | None = None
    annotations: Strings | None = None
    # The API server's own, which nobody writes: what is not as it makes them is passed over.
    uid: object = None
    generation: object = None
    creation_timestamp: object = None
    deletion_timestamp: object = None


_NAMESPACE: Final = "metadata.namespace"


def read_identity(manifest: Manifest, kind: Kind, complaints: list[Complaint]) -> Identity | None:
    """Which object it is; None: that cannot be read, and the list of complaints says why."""
    read = fitted(_Metadata, section(manifest, "metadata"), at="metadata", complaints=complaints)
    if read is None:
        return None
    if kind.namespaced and read.namespace is None:
        complaints.append(Complaint(_NAMESPACE, "is missing"))
        return None
    return Identity(
        name=read.name,
        namespace=read.namespace or "" if kind.namespaced else "",
        uid=_text(read.uid),
        generation=read.generation if type(read.generation) is int else 0,
        created=_text(read.creation_timestamp),
        labels=read.labels or {},
        annotations=read.annotations or {},
        deleted=read.deletion_timestamp is not None,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
