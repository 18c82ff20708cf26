"""`storageUri`, where a model lies, as parameters and a path (reference: serving controller 2.3).

The text itself is in no message: a query or a user may be a secret.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from adapter.controller.manifests.complaints import shown

URI_CHARS_MAX: Final = 8192
AZURE_HOSTS: Final = ".blob.core.windows.net"

_CONTROL: Final = re.compile(r"[\x00-\x20\x7f]")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a model lies."""

    parameters: Mapping[str, str]
    """As `storage.parameters` has them."""
    path: str


def read_storage_uri(uri: str, *, on_this_machine: bool = False) -> Location:
    """Take it apart; with `on_this_machine`, paths and `file://` are fine too.

    Raises `ValueError` with what is wrong.
    """
    if on_this_machine and "://" not in uri:
        return _local(uri)
    parts = _split(uri)
    if on_this_machine and parts.scheme == "file" and not parts.netloc:
        return _local(unquote(parts.path))
    kind = _KINDS.get(parts.scheme)
    if kind is None:
        known = [*(f"{scheme}://" for scheme in _KINDS), *(["file:///"] if on_this_machine else ())]
        what = f"'{shown(parts.scheme)}'" if parts.scheme else "none"
        raise ValueError(
            f"has an unsupported storageUri scheme, {what}; it must begin with one of {', '.join(known)}"
        )
    return kind(parts)


def _split(uri: str) -> SplitResult:
    if len(uri) > URI_CHARS_MAX:
        raise ValueError(f"could not parse storageUri: it is longer than {URI_CHARS_MAX} characters")
    # Python would drop some of these without a word. A blank within the path is fine.
    if _CONTROL.search(uri.replace(" ", "")) or uri != uri.strip():
        raise ValueError("could not parse storageUri: a control character, or a blank at an end")
    if _BROKEN_ESCAPE.search(uri.partition("?")[0]):
        raise ValueError("could not parse storageUri: a % that no two hexadecimal digits follow; write %25")
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        raise ValueError("could not parse storageUri: its host or port is malformed") from None
    if " " in parts.netloc:
        raise ValueError("could not parse storageUri: a blank in its host")
    return parts


def _named(parts: SplitResult, what: str) -> str:
    """The name in the place of a host; nothing else may be there."""
    if "@" in parts.netloc or ":" in parts.netloc:
        raise ValueError(f"could not parse storageUri: between // and / must be the {what}, and nothing else")
    if parts.query or parts.fragment:
        raise ValueError(f"must have no ? and no # after {parts.scheme}://; write %3F and %23 in a path")
    if not parts.netloc:
        raise ValueError(f"must name the {what}: {parts.scheme}://{what.upper()}/PATH")
    return parts.netloc


def _path(parts: SplitResult) -> str:
    return unquote(parts.path).removeprefix("/")


def _claim(parts: SplitResult) -> Location:
    return Location(parameters={"type": "pvc", "name": _named(parts, "claim")}, path=_path(parts))


def _bucket(kind: str) -> Callable[[SplitResult], Location]:
    return lambda parts: Location(
        parameters={"type": kind, "bucket": _named(parts, "bucket")}, path=_path(parts)
    )


def _web(parts: SplitResult) -> Location:
    if not parts.hostname:
        raise ValueError(f"must name the host: {parts.scheme}://HOST/PATH")
    if parts.netloc.endswith(AZURE_HOSTS):
        return _azure(parts)
    query = f"?{parts.query}" if parts.query else ""
    url = f"{parts.scheme}://{parts.netloc}{query}"
    return Location(parameters={"type": "http", "url": url}, path=_path(parts))


def _azure(parts: SplitResult) -> Location:
    container, _, path = _path(parts).partition("/")
    if not container:
        raise ValueError(f"must name the container: https://ACCOUNT{AZURE_HOSTS}/CONTAINER/PATH")
    account = parts.netloc.rpartition("@")[2].partition(".")[0]
    return Location(parameters={"type": "azure", "account_name": account, "container": container}, path=path)


def _local(path: str) -> Location:
    if not path or "\0" in path:
        raise ValueError("must be a path of this machine, such as file:///models/mnist")
    return Location(parameters={"type": "local"}, path=path)


_KINDS: Final[Mapping[str, Callable[[SplitResult], Location]]] = {
    "s3": _bucket("s3"),
    "pvc": _claim,
    "gs": _bucket("gcs"),
    "http": _web,
    "https": _web,
}
