"""The kinds that a local cluster has, by the words that manifests and people use for them."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final

from adapter.domain.kinds import (
    CLUSTER_SERVING_RUNTIME,
    CONFIG_MAP,
    EVENT,
    INFERENCE_SERVICE,
    NAMESPACE,
    PREDICTOR,
    SECRET,
    SERVING_RUNTIME,
    Key,
    Kind,
    Manifest,
    key_of,
)

WRITTEN: Final = (
    SERVING_RUNTIME,
    CLUSTER_SERVING_RUNTIME,
    PREDICTOR,
    INFERENCE_SERVICE,
    SECRET,
    CONFIG_MAP,
    NAMESPACE,
)
"""What people may declare."""
KINDS: Final = (*WRITTEN, EVENT)
WITH_STATUS: Final = frozenset({PREDICTOR, INFERENCE_SERVICE, SERVING_RUNTIME, CLUSTER_SERVING_RUNTIME})

_SHORT: Final[Mapping[str, Kind]] = {
    "isvc": INFERENCE_SERVICE,
    "sr": SERVING_RUNTIME,
    "csr": CLUSTER_SERVING_RUNTIME,
    "cm": CONFIG_MAP,
    "ns": NAMESPACE,
    "ev": EVENT,
}
_WORDS: Final[Mapping[str, Kind]] = {
    **_SHORT,
    **{word: kind for kind in KINDS for word in (kind.name.lower(), kind.plural)},
}
_BY_TYPE: Final = {(kind.group, kind.version, kind.name): kind for kind in KINDS}
_GROUPS: Final = {(kind.group, kind.name): kind for kind in KINDS}

NAME_LENGTH_MAX: Final = 240
"""Kubernetes allows 253, which with `.json` is too long for the name of a file."""
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class NotAnObject(ValueError):
    """It cannot be kept; the text says which field is wrong, and what it should be."""


class KindUnknown(NotAnObject):
    """It is of a kind that a local cluster does not have."""


def kind_named(word: str) -> Kind | None:
    """The kind that a person means: `isvc`, `predictors`, `servingruntimes.serving.kserve.io`; any case."""
    bare, _, group = word.lower().partition(".")
    kind = _WORDS.get(bare)
    if kind is not None and group and group not in (kind.group, f"{kind.version}.{kind.group}"):
        return None
    return kind


def kind_of(manifest: Manifest) -> Kind:
    """What it says it is. Raises `NotAnObject`."""
    api_version, name = manifest.get("apiVersion"), manifest.get("kind")
    if not isinstance(api_version, str) or not isinstance(name, str) or not api_version or not name:
        raise NotAnObject("apiVersion, kind: both must be there")
    group, _, version = api_version.rpartition("/")
    kind = _BY_TYPE.get((group, version, name))
    if kind is not None:
        return kind
    other = _GROUPS.get((group, name))
    if other is not None:
        raise NotAnObject(f"apiVersion: {name} is of {other.api_version}, not {api_version}")
    raise KindUnknown(f"kind: a local cluster has no {name} of {api_version}")


def checked(manifest: Manifest, *, namespace: str) -> tuple[Key, Manifest]:
    """What names it, and itself, with that namespace if it names none. Raises `NotAnObject`."""
    kind = kind_of(manifest)
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        raise NotAnObject("metadata: must be there, with a name")
    complaints = [text for text in _metadata_complaints(metadata, kind) if text]
    if kind in WITH_STATUS and not isinstance(manifest.get("spec"), dict):
        complaints.append("spec: must be there")
    if kind == SECRET:
        complaints += _secret_complaints(manifest)
    if complaints:
        raise NotAnObject("; ".join(complaints))
    named = {name: value for name, value in metadata.items() if name != "namespace"}
    if kind.namespaced:
        named["namespace"] = metadata.get("namespace") or namespace
    whole = {**(_with_data(manifest) if kind == SECRET else manifest), "metadata": named}
    return key_of(whole, kind), whole


def _secret_complaints(manifest: Manifest) -> list[str]:
    complaints = []
    for part in ("data", "stringData"):
        entries = manifest.get(part)
        if entries is not None and not _is_texts(entries):
            complaints.append(f"{part}: must be texts, by names")
        elif entries and part == "data":
            complaints += [f"data.{name}: is not base64" for name in entries if not _is_base64(entries[name])]
    return complaints


def _with_data(manifest: Manifest) -> Manifest:
    """`stringData` is only for writing: what is kept is `data`."""
    texts = manifest.get("stringData") or {}
    data = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
    rest = {name: value for name, value in manifest.items() if name != "stringData"}
    return {**rest, "data": {**(manifest.get("data") or {}), **data}}


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _metadata_complaints(metadata: Mapping[str, object], kind: Kind) -> list[str]:
    name, namespace = metadata.get("name"), metadata.get("namespace")
    return [
        "" if _is_name(name) else "metadata.name: must be lower-case letters, digits, '-' and '.'",
        ""
        if not namespace
        or not kind.namespaced
        or (isinstance(namespace, str) and _LABEL.fullmatch(namespace))
        else "metadata.namespace: must be lower-case letters, digits and '-', at most 63",
        *(
            ""
            if field not in metadata or metadata[field] is None or _is_texts(metadata[field])
            else f"metadata.{field}: must be texts, by names; quote what is a number or true"
            for field in ("labels", "annotations")
        ),
    ]


def _is_name(name: object) -> bool:
    return isinstance(name, str) and len(name) <= NAME_LENGTH_MAX and _NAME.fullmatch(name) is not None


def _is_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
