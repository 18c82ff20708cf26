"""Where the model of an `InferenceService` lies (reference: serving controller 2.3)."""

from collections.abc import Mapping

from adapter.controller.manifests.annotations import SCHEMA_PATH, SECRET_KEY
from adapter.controller.manifests.complaints import Complaint
from adapter.controller.manifests.model_shapes import ModelShape, StorageShape
from adapter.controller.manifests.storage_uris import Location, read_storage_uri
from adapter.domain.specs import StorageSpec


def read_location(
    read: ModelShape,
    annotations: Mapping[str, str],
    *,
    at: str,
    on_this_machine: bool,
    complaints: list[Complaint],
) -> StorageSpec | None:
    """`storageUri` or `storage`, as `storage`; None: that cannot be, and complaints are added."""
    storage = read.storage or StorageShape()
    if read.storage_uri:
        if storage.path is not None:
            complaints.append(Complaint(at, "cannot have both the storageUri and the storage.path"))
            return None
        found = _from_uri(read.storage_uri, at, complaints, on_this_machine=on_this_machine)
    elif storage.path is not None:
        found = Location(parameters={}, path=storage.path)
    else:
        complaints.append(Complaint(at, "must have either the storageUri or the storage.path"))
        return None
    return None if found is None else _storage(storage, annotations, found)


def _from_uri(uri: str, at: str, complaints: list[Complaint], *, on_this_machine: bool) -> Location | None:
    try:
        return read_storage_uri(uri, on_this_machine=on_this_machine)
    except ValueError as error:
        complaints.append(Complaint(f"{at}.storageUri", str(error)))
        return None


def _storage(storage: StorageShape, annotations: Mapping[str, str], found: Location) -> StorageSpec:
    """What the URI says wins over the parameters; what is in `storage`, over the annotations."""
    return StorageSpec(
        path=found.path,
        schema_path=annotations.get(SCHEMA_PATH) if storage.schema_path is None else storage.schema_path,
        parameters={**(storage.parameters or {}), **found.parameters},
        key=annotations.get(SECRET_KEY) if storage.key is None else storage.key,
    )
