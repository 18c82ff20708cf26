"""`model-settings.json`, which MLServer and the in-house runtime read (reference: runtime adapter 5.2).

Two variants. *Generated*: a file, or a folder without settings, gets one link and settings that say where
it is. *Native*: a folder that brings its settings keeps them; only the name, the place of the model and the
tensors of a schema are put in, and everything else is linked.

Not taken over from ModelMesh: settings that are no JSON object are an error here (there they reach the
runtime, which then fails without saying why), and so are `parameters` or a `uri` of a wrong type (there the
process ends).
"""

import json
from collections.abc import Mapping
from pathlib import PurePosixPath

from adapter.domain.errors import ModelCorrupt
from adapter.domain.ids import ModelId
from adapter.layout.files import PulledFiles
from adapter.layout.paths import joined_within
from adapter.layout.plan import LayoutPlan, Link, Step, Write
from adapter.layout.schema import parse_schema

SETTINGS = PurePosixPath("model-settings.json")


def settings_plan(
    model: ModelId, implementation: str | None, files: PulledFiles, folder: PurePosixPath
) -> LayoutPlan:
    """Lay out `files` in `folder`, the absolute path at which the runtime will see this model.

    `implementation` goes into generated settings; None leaves the choice to the runtime. Raises
    `ModelCorrupt`.
    """
    tensors = _schema_fields(files)
    if SETTINGS in files.sizes:
        return _native(model, tensors, files, folder)
    base = PurePosixPath(files.root.name)
    if base == SETTINGS:
        raise ModelCorrupt(f"the path names {SETTINGS} itself: give the folder that holds it and the model")
    settings: dict[str, object] = {"name": model, "parameters": {"uri": str(folder / base)}, **tensors}
    if implementation is not None:
        settings["implementation"] = implementation
    return LayoutPlan(steps=(Link(at=base, to=files.root), _write(settings)))


def _native(
    model: ModelId, tensors: Mapping[str, object], files: PulledFiles, folder: PurePosixPath
) -> LayoutPlan:
    settings = _read(files.contents[SETTINGS])
    settings["name"] = model
    parameters = settings.get("parameters")
    if parameters is not None:
        settings["parameters"] = _with_absolute_uri(parameters, folder)
    settings.update(tensors)
    links: list[Step] = [
        Link(at=PurePosixPath(name), to=files.root / name)
        for name in files.top_names
        if PurePosixPath(name) != SETTINGS
    ]
    return LayoutPlan(steps=(*links, _write(settings)))


def _with_absolute_uri(parameters: object, folder: PurePosixPath) -> dict[str, object]:
    if not isinstance(parameters, dict):
        raise ModelCorrupt(f"{SETTINGS}: `parameters` must be an object")
    if "uri" not in parameters:
        return parameters
    uri = parameters["uri"]
    if not isinstance(uri, str):
        raise ModelCorrupt(f"{SETTINGS}: `parameters.uri` must be a string, the model's place in its folder")
    return {**parameters, "uri": str(joined_within(folder, uri))}


def _schema_fields(files: PulledFiles) -> dict[str, object]:
    if files.schema is None:
        return {}
    schema = parse_schema(files.schema)
    listed = {"inputs": schema.inputs, "outputs": schema.outputs}
    return {
        field: [tensor.as_json() for tensor in tensors]
        for field, tensors in listed.items()
        if tensors is not None
    }


def _read(text: bytes) -> dict[str, object]:
    try:
        settings = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelCorrupt(f"{SETTINGS} is not JSON: {error}") from error
    if not isinstance(settings, dict):
        raise ModelCorrupt(f"{SETTINGS} must be a JSON object")
    return settings


def _write(settings: Mapping[str, object]) -> Write:
    return Write(at=SETTINGS, content=json.dumps(settings, indent=2, sort_keys=True).encode())
