"""The ConfigMap `model-serving-config` as a `ControllerConfig` (reference: serving controller 4).

It has one entry, `config.yaml`. What it does not say is as the defaults have it, at any depth.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import yaml

from adapter.controller.config import ControllerConfig, Image
from adapter.controller.config_shapes import ConfigSection, ImageSection, ResourcesSection
from adapter.controller.manifests.complaints import BadManifest, Complaint
from adapter.controller.manifests.reading import fitted
from adapter.controller.quantities import quantity
from adapter.domain.kinds import Manifest

ENTRY: Final = "config.yaml"
CHARS_MAX: Final = 1 << 20
"""A ConfigMap cannot have more."""
OURS: Final = "python"
"""The server type that is there whatever the file lists: ModelMesh's files do not know it."""

MODELMESH: Final = ControllerConfig()
"""The defaults where nobody says others."""

_AT: Final = f"data[{ENTRY}]"
_SECTIONS: Final = ("tls", "metrics", "scale_to_zero", "rest_proxy")
_RENAMED: Final = {
    "inference_service_name": "service_name",
    "inference_service_port": "service_port",
    "enable_access_logging": "access_logging",
    "service_account_name": "service_account",
    "grpc_max_message_size_bytes": "message_bytes_max",
    "runtime_pod_labels": "pod_labels",
    "runtime_pod_annotations": "pod_annotations",
    "model_mesh_endpoint": "endpoint",
    "rest_proxy": "rest",
    "grace_period_seconds": "grace_s",
    "idle_seconds": "idle_s",
    "model_mesh_image": "image",
    "model_mesh_resources": "resources",
    "storage_helper_image": "helper_image",
    "storage_helper_resources": "helper_resources",
}
"""The file's names, in our case, that are called otherwise here."""
_CONVERTED: Final = (
    *_SECTIONS,
    "model_mesh_image",
    "model_mesh_resources",
    "storage_helper_image",
    "storage_helper_resources",
    "built_in_server_types",
    "payload_processors",
    "image_pull_secrets",
    "internal_model_mesh_env_vars",
)


def config_in(manifest: Manifest | None, *, defaults: ControllerConfig = MODELMESH) -> ControllerConfig:
    """What the ConfigMap says; None: there is none, and the defaults hold. Raises `BadManifest`."""
    if manifest is None:
        return defaults
    data = manifest.get("data")
    content = data.get(ENTRY) if isinstance(data, Mapping) else None
    if not isinstance(content, str):
        raise BadManifest([Complaint(_AT, f"is missing; the ConfigMap is to have one entry, {ENTRY}")])
    return read_config(content, defaults=defaults)


def next_config(
    before: ControllerConfig, manifest: Manifest | None, *, defaults: ControllerConfig = MODELMESH
) -> tuple[ControllerConfig, BadManifest | None]:
    """What holds after a change: what it says, or if it cannot be read what held before, and why."""
    try:
        return config_in(manifest, defaults=defaults), None
    except BadManifest as error:
        return before, error


def read_config(content: str, *, defaults: ControllerConfig = MODELMESH) -> ControllerConfig:
    """The file's content over the defaults. Raises `BadManifest` with every complaint."""
    complaints: list[Complaint] = []
    section = fitted(ConfigSection, _document(content), at=_AT, complaints=complaints)
    if section is None:
        raise BadManifest(complaints)
    config = _merged(section, defaults)
    complaints += _excesses("modelMeshResources", config.resources)
    complaints += _excesses("storageHelperResources", config.helper_resources)
    complaints += _shared_ports(config)
    if complaints:
        raise BadManifest(complaints)
    return config


def _document(content: str) -> object:
    if len(content) > CHARS_MAX:
        raise BadManifest([Complaint(_AT, f"is longer than {CHARS_MAX} characters")])
    try:
        document: object = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise BadManifest([Complaint(_AT, f"is not YAML: {_in_one_line(error)}")]) from None
    except (ValueError, RecursionError) as error:
        # A date that is none, a number too long, lists within lists without end.
        raise BadManifest([Complaint(_AT, f"is not YAML that can be used: {_in_one_line(error)}")]) from None
    return {} if document is None else document


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _merged(section: ConfigSection, defaults: ControllerConfig) -> ControllerConfig:
    changes = _renamed(section.given(*_CONVERTED))
    for name in _SECTIONS:
        if name in section.model_fields_set:
            ours = _RENAMED.get(name, name)
            changes[ours] = replace(getattr(defaults, ours), **_renamed(getattr(section, name).given()))
    changes |= _images_and_resources(section, defaults)
    given = section.model_fields_set
    if "built_in_server_types" in given:
        changes["built_in_server_types"] = tuple(dict.fromkeys([*section.built_in_server_types, OURS]))
    if "payload_processors" in given:
        changes["payload_processors"] = section.payload_processors
    if "image_pull_secrets" in given:
        changes["image_pull_secrets"] = tuple({"name": each.name} for each in section.image_pull_secrets)
    if "internal_model_mesh_env_vars" in given:
        changes["instance_env"] = {each.name: each.value for each in section.internal_model_mesh_env_vars}
    for name in ("pod_labels", "pod_annotations"):
        if name in changes:
            changes[name] = {**getattr(defaults, name), **changes[name]}
    return replace(defaults, **changes)


def _renamed(given: Mapping[str, Any]) -> dict[str, Any]:
    return {_RENAMED.get(name, name): value for name, value in given.items()}


def _images_and_resources(section: ConfigSection, defaults: ControllerConfig) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name in section.model_fields_set:
        written = getattr(section, name)
        ours = _RENAMED.get(name, name)
        if isinstance(written, ImageSection):
            changes[ours] = _image(written, getattr(defaults, ours))
        elif isinstance(written, ResourcesSection):
            changes[ours] = _resources(written, getattr(defaults, ours))
    return changes


def _image(written: ImageSection, default: Image) -> Image:
    """A tag that is not the default's takes effect: the default's digest gives way to it (D21)."""
    given = written.given("command")
    if written.tag and written.tag != default.tag and not written.digest:
        given["digest"] = ""
    if "command" in written.model_fields_set:
        given["command"] = written.command
    return replace(default, **given)


def _resources(written: ResourcesSection, default: Manifest) -> Manifest:
    return {
        part: {**default.get(part, {}), **{_resource(name): held for name, held in ours.items()}}
        for part, ours in (("requests", written.requests), ("limits", written.limits))
    }


def _resource(name: str) -> str:
    """`CPU` and `Memory` are known in either case; names of devices are as they are."""
    return name.lower() if name.lower() in ("cpu", "memory") else name


def _shared_ports(config: ControllerConfig) -> list[Complaint]:
    used = {"inferenceServicePort": config.service_port}
    if config.rest.enabled:
        used["restProxy.port"] = config.rest.port
    if config.metrics.enabled:
        used["metrics.port"] = config.metrics.port
    return [
        Complaint(f"{_AT}.{name}", f"{port} is the port of {other} too; each needs one of its own")
        for name, port in used.items()
        for other, others in used.items()
        if port == others and name > other
    ]


def _excesses(name: str, resources: Manifest) -> list[Complaint]:
    """The API server would refuse every Deployment for these."""
    return [
        Complaint(
            f"{_AT}.{name}.requests.{resource}",
            f"is {requested}, more than limits.{resource}, which is {resources['limits'][resource]}",
        )
        for resource, requested in resources.get("requests", {}).items()
        if resource in resources.get("limits", {})
        and quantity(str(requested)) > quantity(str(resources["limits"][resource]))
    ]
