"""The Secret `model-serving-etcd`, and the copy of it that another namespace gets.

Reference: serving controller 6.1, 6.2. No text here says what the Secret holds.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from adapter.controller.manifests.complaints import BadManifest, Complaint
from adapter.domain.kinds import Manifest

CONNECTION: Final = "etcd_connection"
"""The entry that says where etcd is."""
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "modelmesh-controller"

_PEMS: Final = ("certificate", "client_key", "client_certificate")
_TEXTS: Final = ("endpoints", "userid", "password", "root_prefix", "override_authority", *_PEMS)
_FILES: Final = tuple(f"{name}_file" for name in _PEMS)
_ONE_LABEL: Final = re.compile(
    r"(?P<before>\s*(?:https?://)?)(?P<host>[a-z](?:[-a-z0-9]*[a-z0-9])?)(?P<after>:\d+/?\s*)"
)
"""An endpoint whose host has no dot, and so means a Service of the namespace that it is read in."""
_LOCAL: Final = "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdSecret:
    """Where etcd is, as the controller's namespace has it."""

    members: Mapping[str, object] = field(repr=False)
    """Of the JSON object; those that are not known are kept."""
    files: Mapping[str, bytes] = field(repr=False)
    """The further entries of the Secret that it refers to, by name."""

    @property
    def connection(self) -> bytes:
        """The JSON object, as the Secret's entry has it."""
        return _encoded(self.members)

    @property
    def root_prefix(self) -> str:
        """What all keys begin with."""
        return str(self.members.get("root_prefix") or "")

    def inlined(self) -> bytes:
        """The same, with the files' content in it: complete without them."""
        members = {name: value for name, value in self.members.items() if name not in _FILES}
        for name in _PEMS:
            if entry := self.members.get(f"{name}_file"):
                members[name] = self.files[str(entry)].decode(errors="replace")
        return _encoded(members)

    def of_namespace(self, namespace: str, *, home: str = "") -> "EtcdSecret":
        """The copy for this namespace: its keys are apart from all others', and the files come along (D8).

        `home`: the namespace that this Secret is of. Short host names mean Services there, and are completed,
        since elsewhere they mean nothing; a server's certificate is checked for the name that it was before.
        """
        members = dict(self.members)
        members["root_prefix"] = f"{self.root_prefix}/mm_ns/{namespace}"
        if home and home != namespace:
            _complete_hosts(members, home)
        return EtcdSecret(members=members, files=self.files)


def read_etcd_secret(manifest: Manifest) -> EtcdSecret:
    """What the Secret says. Raises `BadManifest` with every complaint."""
    data = _data(manifest)
    content = data.get(CONNECTION)
    if content is None:
        raise BadManifest([Complaint(f"data.{CONNECTION}", "is missing; it says where etcd is, as JSON")])
    try:
        members = json.loads(content)
    except (ValueError, RecursionError):  # the cause would carry the text
        members = None
    if not isinstance(members, dict):
        raise BadManifest([Complaint(f"data.{CONNECTION}", 'must be a JSON object: {"endpoints": ...}')])
    if complaints := _complaints(members, data):
        raise BadManifest(complaints)
    named = [str(members[name]) for name in _FILES if members.get(name)]
    return EtcdSecret(members=members, files={name: data[name] for name in named})


def is_ours(secret: Manifest) -> bool:
    """Whether this is a copy that was made here. One that somebody else made is theirs, and stays (#248)."""
    metadata = secret.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    return isinstance(labels, Mapping) and labels.get(MANAGED_BY) == MANAGER


def _data(manifest: Manifest) -> dict[str, bytes]:
    """All entries, decoded; `stringData` too, which a file may have."""
    entries: dict[str, bytes] = {}
    complaints: list[Complaint] = []
    for part in ("data", "stringData"):
        found = manifest.get(part)
        for name, value in found.items() if isinstance(found, Mapping) else ():
            try:
                text = str(value)
                entries[name] = base64.b64decode(text, validate=True) if part == "data" else text.encode()
            except (binascii.Error, ValueError):
                complaints.append(Complaint(f"{part}.{name}", "must be base64"))
    if complaints:
        raise BadManifest(complaints)
    return entries


def _complaints(members: Mapping[str, object], data: Mapping[str, bytes]) -> list[Complaint]:
    told = [
        Complaint(_at(name), "must be a string")
        for name in (*_TEXTS, *_FILES)
        if not isinstance(members.get(name), str | None)
    ]
    endpoints = members.get("endpoints")
    if isinstance(endpoints, str | None) and not (endpoints or "").strip(", "):
        told.append(Complaint(_at("endpoints"), "is missing; name at least one http://HOST:PORT"))
    for name in _FILES:
        entry = members.get(name)
        if isinstance(entry, str) and entry and entry not in data:
            told.append(Complaint(_at(name), "names an entry that the Secret does not have"))
    key, certificate = (
        bool(members.get(f"{name}_file") or members.get(name))
        for name in ("client_key", "client_certificate")
    )
    if key != certificate:
        given, missing = ("client_key", "client_certificate")[:: 1 if key else -1]
        told.append(Complaint(_at(missing), f"is missing; {given} is there, and needs it"))
    return told


def _at(name: str) -> str:
    return f"data.{CONNECTION}.{name}"


def _encoded(members: Mapping[str, object]) -> bytes:
    """The same members give the same bytes, so that nothing is rewritten for nothing (D7)."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _complete_hosts(members: dict[str, object], home: str) -> None:
    endpoints = str(members["endpoints"]).split(",")
    first = next((match["host"] for each in endpoints if (match := _short(each))), None)
    if first is None:
        return
    members["endpoints"] = ",".join(_completed(each, home) for each in endpoints)
    if "https://" in endpoints[0] and not members.get("override_authority"):
        members["override_authority"] = first


def _short(endpoint: str) -> re.Match[str] | None:
    match = _ONE_LABEL.fullmatch(endpoint)
    return None if match is None or match["host"] == _LOCAL else match


def _completed(endpoint: str, home: str) -> str:
    match = _short(endpoint)
    return endpoint if match is None else f"{match['before']}{match['host']}.{home}{match['after']}"
