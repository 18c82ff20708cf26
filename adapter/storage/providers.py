"""Which types of storage this version pulls from."""

from collections.abc import Mapping
from pathlib import Path

from adapter.domain.errors import BadModelKey, StorageKeyUnknown
from adapter.storage.pvc import PVC_MOUNTS, ClaimProvider, LocalProvider
from adapter.storage.repository import StorageConfig, StorageProvider
from adapter.storage.s3 import S3Provider

Providers = Mapping[str, StorageProvider]
"""By the `type` of a storage."""


def the_providers(
    *, s3: S3Provider, pvc_mounts: Path = PVC_MOUNTS, local_folder: Path | None = None
) -> Providers:
    """All that there are; `local` and `file` only where a folder is allowed for them."""
    providers: dict[str, StorageProvider] = {"s3": s3, "pvc": ClaimProvider(pvc_mounts)}
    if local_folder is not None:
        providers["local"] = providers["file"] = LocalProvider(local_folder)
    return providers


def provider_for(storage: StorageConfig, providers: Providers) -> StorageProvider:
    """Raises `StorageKeyUnknown` (the secret says so) or `BadModelKey` for a type that nobody provides."""
    provider = providers.get(storage.type)
    if provider is None:
        wrong = BadModelKey if storage.secret_key is None else StorageKeyUnknown
        raise wrong(
            f"{storage.origin}: no provider registered for repositories of type '{storage.type}'; "
            f"this version pulls from {', '.join(sorted(providers))}"
        )
    return provider
