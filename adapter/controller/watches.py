"""Which kinds must be readable before the controller starts (reference: serving controller 0.2)."""

import logging
from typing import Final

from adapter.cluster.cluster import Cluster, ClusterRefused
from adapter.controller.settings import ControllerSettings
from adapter.domain.kinds import CLUSTER_SERVING_RUNTIME, INFERENCE_SERVICE, NAMESPACE, SECRET, Kind

log = logging.getLogger(__name__)

_VARIABLES: Final = {
    INFERENCE_SERVICE: "ENABLE_ISVC_WATCH",
    CLUSTER_SERVING_RUNTIME: "ENABLE_CSR_WATCH",
    SECRET: "ENABLE_SECRET_WATCH",
}


NONE_HAS: Final = {"remesh.io/asked": "readable"}
"""Labels that no object has."""


async def missing_watches(cluster: Cluster, settings: ControllerSettings) -> frozenset[Kind]:
    """The optional kinds that are not to be followed.

    Raises `ClusterRefused` if one that was asked for cannot be read, or Namespaces cannot in cluster scope.
    """
    asked = {
        INFERENCE_SERVICE: settings.isvc_watch,
        CLUSTER_SERVING_RUNTIME: "false" if settings.namespace_scope else settings.csr_watch,
        SECRET: settings.secret_watch,
    }
    missing = set()
    for kind, watch in asked.items():
        if watch == "false":
            missing.add(kind)
            continue
        try:
            await _readable(cluster, kind, settings)
        except ClusterRefused as error:
            if watch == "true":
                raise ClusterRefused(
                    f"{_VARIABLES[kind]} is true, and {kind}s cannot be read: {error}"
                ) from error
            log.info(
                "a kind is not followed: it cannot be read", extra={"kind": str(kind), "error": str(error)}
            )
            missing.add(kind)
    if not settings.namespace_scope:
        try:
            await _readable(cluster, NAMESPACE, settings)
        except ClusterRefused as error:
            text = "Namespaces cannot be read; grant that, or set NAMESPACE_SCOPE to true"
            raise ClusterRefused(f"{text}: {error}") from error
    return frozenset(missing)


async def _readable(cluster: Cluster, kind: Kind, settings: ControllerSettings) -> None:
    narrow = kind.namespaced and (settings.namespace_scope or kind == SECRET)
    # Whether it may be listed is all that is asked; there may be thousands.
    await cluster.list(kind, namespace=settings.own_namespace if narrow else None, labels=NONE_HAS)
