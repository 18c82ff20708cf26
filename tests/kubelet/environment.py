"""What a container finds in its environment: values, and what they refer to elsewhere."""

import base64
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

Manifest = Mapping[str, Any]

REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")
SUBSCRIPT = re.compile(r"^metadata\.(labels|annotations)\['(.+)'\]$")
NAME = re.compile(r"^[A-Za-z_.-][A-Za-z0-9_.-]*$")
SUFFIXES = {letter: Decimal(1000) ** power for power, letter in enumerate(["n", "u", "m", "", *"kMGTPE"], -3)}
SUFFIXES |= {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)}
QUANTITY = re.compile(r"^([+-]?[0-9.]+)(?:([eE][+-]?[0-9]+)|([numkKMGTPE]?i?))$")


class NotThereYet(Exception):
    """What a container refers to is missing; it waits, and this is why."""


class Objects(Protocol):
    """Where secrets and config maps are looked up."""

    def secret(self, namespace: str, name: str) -> Manifest | None: ...

    def config_map(self, namespace: str, name: str) -> Manifest | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a pod runs."""

    pod_ip: str
    node_ip: str
    node_name: str
    allocatable: Mapping[str, str] = field(default_factory=dict)
    """Of the Node: limits of containers that have none."""
    services: Mapping[str, str] = field(default_factory=dict)
    """Variables that every container has."""


def environment(container: Manifest, pod: Manifest, place: Place, objects: Objects) -> dict[str, str]:
    """All variables, in their order. Raises `NotThereYet`."""
    found = {"HOSTNAME": hostname(pod), **place.services}
    namespace = pod["metadata"]["namespace"]
    for source in container.get("envFrom", []):
        found |= _all_of(source, namespace, objects)
    for entry in container.get("env", []):
        if "valueFrom" not in entry:
            found[entry["name"]] = expand(entry.get("value", ""), found)
        elif (value := _referred(entry["valueFrom"], container, pod, place, objects)) is not None:
            found[entry["name"]] = value
    return found


def hostname(pod: Manifest) -> str:
    """As the pod's own programs see it."""
    return str(pod["spec"].get("hostname") or pod["metadata"]["name"])[:63]


def expand(text: str, known: Mapping[str, str]) -> str:
    """`$(NAME)` of what is known; `$$` is a dollar; the rest stays."""

    def value(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else known.get(found[1], found[0])

    return REFERENCE.sub(value, text)


def _all_of(source: Manifest, namespace: str, objects: Objects) -> dict[str, str]:
    kind = "secretRef" if "secretRef" in source else "configMapRef"
    reference = source[kind]
    content = entries(kind[:-3], reference, namespace, objects)
    prefix = source.get("prefix", "")
    return {prefix + key: value.decode() for key, value in content.items() if NAME.match(prefix + key)}


def entries(kind: str, reference: Manifest, namespace: str, objects: Objects) -> dict[str, bytes]:
    """The content of a `secret` or `configMap`; nothing of an optional one. Raises `NotThereYet`."""
    name = reference["name"]
    find = objects.secret if kind == "secret" else objects.config_map
    if (found := find(namespace, name)) is None:
        if reference.get("optional"):
            return {}
        raise NotThereYet(f'{kind.lower()} "{name}" not found')
    if kind == "secret":
        return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
    binary = {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}
    return {key: value.encode() for key, value in (found.get("data") or {}).items()} | binary


def _referred(
    source: Manifest, container: Manifest, pod: Manifest, place: Place, objects: Objects
) -> str | None:
    if "fieldRef" in source:
        return field_of(pod, source["fieldRef"]["fieldPath"], place)
    if "resourceFieldRef" in source:
        return resource_of(container, pod, source["resourceFieldRef"], place.allocatable)
    kind = "secret" if "secretKeyRef" in source else "configMap"
    reference = source[f"{kind}KeyRef"]
    content = entries(kind, reference, pod["metadata"]["namespace"], objects)
    if reference["key"] in content:
        return content[reference["key"]].decode()
    if reference.get("optional"):
        return None
    raise NotThereYet(f"couldn't find key {reference['key']} in {kind} {reference['name']}")


# The downward API.


def field_of(pod: Manifest, path: str, place: Place | None = None) -> str:
    """A field of the pod, as text. Raises `NotThereYet` for a path that is none."""
    metadata, spec = pod["metadata"], pod["spec"]
    if subscript := SUBSCRIPT.match(path):
        return str((metadata.get(subscript[1]) or {}).get(subscript[2], ""))
    if path in {"metadata.labels", "metadata.annotations"}:
        told = metadata.get(path.partition(".")[2]) or {}
        return "\n".join(f"{key}={_quoted(value)}" for key, value in sorted(told.items()))
    known = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata.get("uid", ""),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
    }
    if place is not None:
        known |= {"status.podIP": place.pod_ip, "status.podIPs": place.pod_ip}
        known |= {"status.hostIP": place.node_ip, "status.hostIPs": place.node_ip}
    if path not in known:
        raise NotThereYet(f"unsupported fieldPath: {path}")
    return str(known[path])


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def resource_of(
    container: Manifest, pod: Manifest, reference: Manifest, allocatable: Mapping[str, str]
) -> str:
    """A request or limit in units of the divisor, rounded up; without a limit, what the Node has."""
    if named := reference.get("containerName"):
        everyone = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
        container = next((each for each in everyone if each["name"] == named), {})
    side, _, resource = reference["resource"].partition(".")
    told = (container.get("resources") or {}).get(side) or {}
    amount = told.get(resource) or (allocatable.get(resource, "0") if side == "limits" else "0")
    divisor = quantity(reference.get("divisor") or "1") or Decimal(1)
    return str(math.ceil(quantity(amount) / divisor))


def quantity(text: str | float) -> Decimal:
    """`1500m`, `2Gi`, `1e3`. Raises `ValueError`."""
    found = QUANTITY.match(str(text))
    if found is None:
        raise ValueError(f"{text!r} is no quantity")
    if found[2]:
        return Decimal(found[1] + found[2])
    return Decimal(found[1]) * SUFFIXES[found[3]]
