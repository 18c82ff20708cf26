"""What pods refer to, looked up in the cluster: secrets, config maps, tokens, claims."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.kubelet.api import Api, Followed
from tests.kubelet.environment import NotThereYet

Manifest = Mapping[str, Any]

TOKEN_S = 24 * 3600
"""How long a service account's token is good for at least: it is not renewed."""


class ClusterObjects:
    """Secrets and config maps as they are now; the rest is asked for."""

    def __init__(self, api: Api) -> None:
        self.secrets = Followed("/api/v1/secrets")
        self.config_maps = Followed("/api/v1/configmaps")
        self._api = api

    def secret(self, namespace: str, name: str) -> Manifest | None:
        return self.secrets.objects.get((namespace, name))

    def config_map(self, namespace: str, name: str) -> Manifest | None:
        return self.config_maps.objects.get((namespace, name))

    async def token(self, pod: Manifest, source: Manifest) -> str:
        """For the pod's service account, good as long as the pod is there."""
        metadata, spec = pod["metadata"], pod["spec"]
        bound = {"kind": "Pod", "apiVersion": "v1", "name": metadata["name"], "uid": metadata["uid"]}
        asked: dict[str, Any] = {"boundObjectRef": bound}
        asked["expirationSeconds"] = max(source.get("expirationSeconds", 0), TOKEN_S)
        if audience := source.get("audience"):
            asked["audiences"] = [audience]
        account = spec.get("serviceAccountName", "default")
        path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{account}/token"
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": asked}
        return str((await self._api.post(path, review))["status"]["token"])

    async def claim(self, namespace: str, name: str) -> Path:
        """The folder of the volume that a claim is bound to. Raises `NotThereYet`."""
        claim = await self._api.get(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}")
        if claim is None or not (volume := claim["spec"].get("volumeName")):
            raise NotThereYet(f'persistentvolumeclaim "{name}" is not there or not bound')
        found = await self._api.get(f"/api/v1/persistentvolumes/{volume}")
        spec = found["spec"] if found else {}
        for source in ("hostPath", "local"):
            if source in spec:
                return Path(spec[source]["path"])
        raise NotThereYet(f'volume "{volume}" is neither hostPath nor local')
