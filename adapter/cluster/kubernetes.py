"""The cluster over Kubernetes' API server.

What only the server needs (`managedFields`) is left out of what is read; a list of a built-in kind leaves out
which kind it is of, and that is put in.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import orjson

from adapter.aio.clock import Clock, LoopClock
from adapter.cluster.cluster import (
    Changed,
    ClusterRefused,
    ClusterUnavailable,
    KindMissing,
    Listed,
    ObjectConflict,
)
from adapter.cluster.kubernetes_api import (
    APPLY_PATCH,
    JSON,
    MERGE_PATCH,
    Account,
    ApiRefused,
    KubernetesApi,
)
from adapter.cluster.kubernetes_paths import (
    apply_params,
    kind_path,
    list_params,
    log_params,
    object_path,
)
from adapter.cluster.kubernetes_watch import GONE, Follower
from adapter.domain.errors import AdapterError
from adapter.domain.kinds import Key, Kind, Manifest, key_of

LOG_BYTES_MAX: Final = 64 * 2**10

NOT_FOUND: Final = 404
CONFLICT: Final = 409
TOO_MANY_REQUESTS: Final = 429
SERVER_FAILED: Final = 500
"""And above."""


class KubernetesCluster:
    """`Cluster` over one API server. Made by `connected`; belongs to its event loop."""

    def __init__(self, api: KubernetesApi, *, manager: str, clock: Clock) -> None:
        self._api = api
        self._manager = manager
        self._clock = clock

    def __repr__(self) -> str:
        return f"<KubernetesCluster {self.server}>"

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, account: Account | None = None, *, manager: str = "remesh", clock: Clock | None = None
    ) -> AsyncIterator[Self]:
        """Within the block; nothing is asked yet. `manager` is who owns the fields that we apply.

        Raises `ClusterRefused` if there is no kubeconfig and no account of a pod, or none that can be used.
        """
        async with KubernetesApi.connected(account or Account.found()) as api:
            yield cls(api, manager=manager, clock=clock or LoopClock())

    @property
    def server(self) -> str:
        return self._api.account.server

    @property
    def namespace(self) -> str:
        """Meant where none is named: the context's, or the pod's."""
        return self._api.account.namespace

    # Reading.

    def follow(self, kind: Kind, *, namespace: str | None = None) -> AsyncIterator[Listed | Changed]:
        async def list_all() -> tuple[Sequence[Manifest], str]:
            return await _listed(self._api, kind, namespace)

        lines, clock = self._api.lines, self._clock
        return Follower(kind, namespace, list_all=list_all, lines=lines, clock=clock).news()

    async def get(self, key: Key) -> Manifest | None:
        return await self._called_of("GET", key, object_path(key))

    async def list(
        self, kind: Kind, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Manifest]:
        return (await _listed(self._api, kind, namespace, labels))[0]

    async def log_tail(self, key: Key, *, container: str, lines: int, previous: bool = False) -> str:
        params = log_params(container=container, lines=lines, bytes_max=LOG_BYTES_MAX, previous=previous)
        try:
            told = await self._api.call("GET", object_path(key, "log"), params=params)
        except ApiRefused:  # no such pod, not started yet, its node does not answer
            return ""
        return told.decode(errors="replace").removesuffix("\n")

    # Writing.

    async def create(self, manifest: Manifest, kind: Kind) -> Manifest:
        path = kind_path(kind, _key(manifest, kind).namespace)
        return await self._called("POST", path, body=_whole(manifest, kind), kind=kind, params=self._ours)

    async def replace(self, manifest: Manifest, kind: Kind) -> Manifest:
        key = _key(manifest, kind)
        if not manifest["metadata"].get("resourceVersion"):
            raise ClusterRefused(f"what replaces {key} must have the `resourceVersion` of what is there")
        try:
            answer = await self._api.call(
                "PUT", object_path(key), params=self._ours, body=_whole(manifest, kind)
            )
        except ApiRefused as error:
            if error.status == NOT_FOUND and error.subject:
                raise ObjectConflict(f"{key} is gone: {error}") from error
            raise _meant(error, kind) from error
        return _read(answer, kind)

    async def apply(self, manifest: Manifest, kind: Kind) -> Manifest:
        return await self._called(
            "PATCH",
            object_path(_key(manifest, kind)),
            body=_whole(manifest, kind),
            kind=kind,
            params=apply_params(self._manager),
            content_type=APPLY_PATCH,
        )

    async def patch(self, key: Key, patch: Manifest) -> Manifest | None:
        return await self._called_of("PATCH", key, object_path(key), body=patch)

    async def patch_status(self, key: Key, patch: Manifest) -> Manifest | None:
        return await self._called_of("PATCH", key, object_path(key, "status"), body=patch)

    async def delete(self, key: Key, *, uid: str = "") -> bool:
        options: dict[str, Any] = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            await self._api.call("DELETE", object_path(key), body=options)
        except ApiRefused as error:
            if error.status == NOT_FOUND:
                return False
            if error.status == CONFLICT:
                return not uid  # another has the name; else it is going already
            raise _meant(error, key.kind) from error
        return True

    # Inside.

    @property
    def _ours(self) -> dict[str, str]:
        return {"fieldManager": self._manager}

    async def _called(
        self,
        method: str,
        path: str,
        *,
        body: Manifest,
        kind: Kind,
        params: Mapping[str, str],
        content_type: str = JSON,
    ) -> Manifest:
        try:
            answer = await self._api.call(method, path, params=params, body=body, content_type=content_type)
        except ApiRefused as error:
            raise _meant(error, kind) from error
        return _read(answer, kind)

    async def _called_of(
        self, method: str, key: Key, path: str, *, body: Manifest | None = None
    ) -> Manifest | None:
        params = None if body is None else self._ours
        try:
            answer = await self._api.call(method, path, params=params, body=body, content_type=MERGE_PATCH)
        except ApiRefused as error:
            if error.status == NOT_FOUND:
                return None
            raise _meant(error, key.kind) from error
        return _read(answer, key.kind)


async def _listed(
    api: KubernetesApi, kind: Kind, namespace: str | None, labels: Mapping[str, str] | None = None
) -> tuple[list[Manifest], str]:
    """All objects, and the version at which they were these."""
    found: list[Manifest] = []
    page = ""
    while True:
        params = list_params(labels, page=page)
        try:
            told = _json(await api.call("GET", kind_path(kind, namespace), params=params))
        except ApiRefused as error:
            if error.status != GONE or not page:
                raise _meant(error, kind) from error
            found, page = [], ""  # it took so long that the first page is forgotten; from the start
            continue
        found += [_completed(each, kind) for each in told.get("items") or ()]
        page = told["metadata"].get("continue") or ""
        if not page:
            return found, str(told["metadata"].get("resourceVersion") or "")


def _key(manifest: Manifest, kind: Kind) -> Key:
    try:
        key = key_of(manifest, kind)
    except (KeyError, TypeError) as error:
        raise ClusterRefused(f"a {kind.name} must have a `metadata.name`") from error
    if kind.namespaced and not key.namespace:
        raise ClusterRefused(f"{key} must have a `metadata.namespace`")
    return key


def _whole(manifest: Manifest, kind: Kind) -> Manifest:
    return {"apiVersion": kind.api_version, "kind": kind.name, **manifest}


def _read(answer: bytes, kind: Kind) -> Manifest:
    return _completed(_json(answer), kind)


def _json(answer: bytes) -> dict[str, Any]:
    try:
        told: Any = orjson.loads(answer)
    except ValueError as error:
        raise ClusterUnavailable("what answers in the API server's place speaks no JSON") from error
    if not isinstance(told, dict) or not isinstance(told.get("metadata"), dict):
        raise ClusterUnavailable("what answers in the API server's place tells of no objects")
    return told


def _completed(manifest: dict[str, Any], kind: Kind) -> dict[str, Any]:
    manifest["metadata"].pop("managedFields", None)
    return manifest if "kind" in manifest else {"apiVersion": kind.api_version, "kind": kind.name, **manifest}


def _meant(error: ApiRefused, kind: Kind) -> AdapterError:
    """Which of the seam's errors it is."""
    if error.status == NOT_FOUND and not error.subject:
        return KindMissing(f"the cluster has no {kind.plural}.{kind.group}; is its definition installed?")
    if error.status == CONFLICT:
        return ObjectConflict(error.text)
    if error.status == TOO_MANY_REQUESTS or error.status >= SERVER_FAILED:
        return ClusterUnavailable(error.text)
    return ClusterRefused(error.text)
