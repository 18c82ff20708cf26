"""The certificate of the webhooks: made here, kept in a Secret that all controllers share, renewed in time.

A Secret that somebody else fills, as cert-manager does, is used as it is and never written. One without any
entries is filled. While a new certificate spreads, the authority of the one before is trusted as well.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapter.cluster.cluster import Cluster, ObjectConflict
from adapter.controller.webhooks.configuration import LABELS
from adapter.domain.errors import Refused
from adapter.domain.kinds import SECRET, Key, Manifest
from adapter.servers.self_signed import Presented, good_until_s, issue, names_in

SECRET_NAME: Final = "modelmesh-webhook-server-cert"  # noqa: S105 - a name
OURS: Final = "remesh.io/issued"
"""The annotation of a Secret that we filled, and may fill again."""

DAY_S: Final = 86_400.0
VALID_S: Final = 365 * DAY_S
RENEW_S: Final = 120 * DAY_S
"""A certificate that ends within so long is renewed."""

AUTHORITIES_MAX: Final = 3
"""Of so many certificates, the newest, the authorities are trusted at the same time."""
ATTEMPTS_MAX: Final = 5
"""So often somebody else may write the Secret meanwhile."""

_CURE: Final = "whoever made it must renew it; or delete it, and one is made by the controller"

_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_CERTIFICATE, _KEY, _AUTHORITIES = "tls.crt", "tls.key", "ca.crt"


class CertificateUnusable(Refused):
    """What somebody else keeps in the Secret cannot be served with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """To serve with, and whom clients are to trust; PEM."""

    certificate: bytes
    key: bytes = field(repr=False)
    authorities: bytes


async def webhook_certificate(
    cluster: Cluster, *, namespace: str, hosts: Sequence[str], now_s: float
) -> Certificate:
    """The one of the Secret, or a new one if that will not do. `now_s` is since the epoch.

    Raises `CertificateUnusable`, and what the cluster raises.
    """
    key = Key(kind=SECRET, name=SECRET_NAME, namespace=namespace)
    for attempt in range(ATTEMPTS_MAX):
        found = await cluster.get(key)
        kept, is_ours = _kept(found), _is_ours(found)
        if kept is not None:
            complaint = _complaint(kept, hosts if is_ours else hosts[:1], now_s)
            if not complaint and not (is_ours and _ends_soon(kept, now_s)):
                return kept
            if not is_ours:
                raise CertificateUnusable(f"the Secret {namespace}/{SECRET_NAME} {complaint}; {_CURE}")
        made = _made(hosts, now_s, before=kept)
        try:
            await _keep(cluster, key, found, made)
        except ObjectConflict:
            if attempt + 1 == ATTEMPTS_MAX:
                raise
        else:
            return made
    raise AssertionError("the last attempt returns or raises")


def _kept(found: Manifest | None) -> Certificate | None:
    """What a Secret has; None: there is none, or it is empty."""
    data: Mapping[str, str] = (found or {}).get("data") or {}
    if not any(map(data.get, (_CERTIFICATE, _KEY, _AUTHORITIES))):
        return None
    return Certificate(
        certificate=_decoded(data, _CERTIFICATE),
        key=_decoded(data, _KEY),
        authorities=_decoded(data, _AUTHORITIES),
    )


def _decoded(data: Mapping[str, str], name: str) -> bytes:
    try:
        return base64.b64decode(data.get(name) or "", validate=True)
    except binascii.Error:
        return b""


def _is_ours(found: Manifest | None) -> bool:
    annotations = (found or {}).get("metadata", {}).get("annotations") or {}
    return annotations.get(OURS) == "true"


def _complaint(kept: Certificate, hosts: Sequence[str], now_s: float) -> str:
    """Why it will not do; empty: it will."""
    try:
        Presented(kept.certificate, kept.key)
        until_s, names = good_until_s(kept.certificate), names_in(kept.certificate)
    except ValueError:
        return "has no certificate (tls.crt) with its key (tls.key), both PEM"
    if not kept.authorities:
        return "does not say who vouches for its certificate (ca.crt)"
    if until_s < now_s:
        return "has a certificate that has ended"
    missing = [host for host in hosts if host not in names][:1]
    return f"has a certificate that is not for {missing[0]}" if missing else ""


def _ends_soon(kept: Certificate, now_s: float) -> bool:
    return good_until_s(kept.certificate) < now_s + RENEW_S


def _made(hosts: Sequence[str], now_s: float, *, before: Certificate | None) -> Certificate:
    issued = issue(hosts, now_s=now_s, valid_s=VALID_S)
    earlier = [] if before is None else [*_trusted(before.authorities, now_s)]
    authorities = b"".join([issued.authority, *earlier[: AUTHORITIES_MAX - 1]])
    return Certificate(certificate=issued.certificate, key=issued.key, authorities=authorities)


def _trusted(authorities: bytes, now_s: float) -> Iterable[bytes]:
    """Each authority of a PEM that has not ended."""
    for part in authorities.split(_BEGIN)[1:]:
        authority = _BEGIN + part
        try:
            is_good = good_until_s(authority) > now_s
        except ValueError:
            continue
        if is_good:
            yield authority


async def _keep(cluster: Cluster, key: Key, found: Manifest | None, made: Certificate) -> None:
    """Write the Secret, unless somebody else has meanwhile: `ObjectConflict`."""
    entries = {_CERTIFICATE: made.certificate, _KEY: made.key, _AUTHORITIES: made.authorities}
    data = {name: base64.b64encode(entry).decode() for name, entry in entries.items()}
    if found is None:
        secret = {
            "apiVersion": SECRET.api_version,
            "kind": SECRET.name,
            "metadata": {
                "name": key.name,
                "namespace": key.namespace,
                "labels": dict(LABELS),
                "annotations": {OURS: "true"},
            },
            "type": "kubernetes.io/tls",
            "data": data,
        }
        await cluster.create(secret, SECRET)
        return
    metadata = dict(found["metadata"])
    annotations = {**(metadata.get("annotations") or {}), OURS: "true"}
    written = {**found, "metadata": {**metadata, "annotations": annotations}}
    await cluster.replace({**written, "data": {**(found.get("data") or {}), **data}}, SECRET)
