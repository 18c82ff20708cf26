"""What the mesh is told of a model (reference: serving controller 5.1, 5.2).

Ids and keys are ModelMesh's to the byte, so that what it registered is found and is the same.
"""

from typing import Final

from adapter.controller.go_json import go_json
from adapter.controller.manifests.spec_hash import target_id
from adapter.controller.statuses.standing import ModelState, Standing
from adapter.domain.records import ModelInfo
from adapter.domain.specs import FailureReason, ModelSpec, StorageSpec
from adapter.mesh.vmodels import SetVModel

_WANTED: Final = (ModelState.PENDING, ModelState.FAILED)


def registration(model: ModelSpec, type_: str, *, load_now: bool) -> SetVModel:
    """The alias of this name, at the model that this spec is; `type_` is that of its `Selection`.

    A model that no runtime supports is registered too: what it replaces goes on serving, and it is loaded as
    soon as a runtime comes.
    """
    return SetVModel(
        vmodel=model.identity.name,
        target=target_id(model),
        info=ModelInfo(type=type_, path=model_path(model), key=model_key(model)),
        auto_delete=True,
        load_now=load_now,
        owner=model.source.value,
        rules=model.rules,
    )


def loads_now(model: ModelSpec, standing: Standing) -> bool:
    """Whether to have it loaded: a model that stands by is not, just because it was looked at."""
    if model.identity.deleted:
        return False
    if standing.active in _WANTED or standing.target is not ModelState.NONE:
        return True
    failure = standing.failure
    waits = failure is not None and failure.reason == FailureReason.RUNTIME_UNHEALTHY.value
    return waits and standing.active is ModelState.LOADING


def model_path(model: ModelSpec) -> str:
    """Where it lies; the deprecated place counts without `storage` too (D17)."""
    storage = model.storage or StorageSpec()
    return storage.path or model.path


def model_key(model: ModelSpec) -> str:
    """What the puller and the runtime read: storage, type, schema."""
    storage = model.storage or StorageSpec()
    return go_json(
        {
            "storage_key": _storage_key(storage),
            "storage_params": _parameters(storage) or None,
            "model_type": {"name": model.format.name, "version": model.format.version},
            "schema_path": storage.schema_path or model.schema_path,
        }
    )


def _storage_key(storage: StorageSpec) -> str | None:
    if storage.key is not None or storage.s3 is None:
        return storage.key
    return storage.s3.secret_key


def _parameters(storage: StorageSpec) -> dict[str, str]:
    if storage.parameters is not None:
        return dict(sorted(storage.parameters.items()))
    bucket = None if storage.s3 is None else storage.s3.bucket
    return {} if bucket is None else {"bucket": bucket}
