"""Where an API server has its objects, and what is asked of it there.

`/api/v1` has the core group, `/apis/GROUP/VERSION` any other; names may hold what a path gives a meaning to.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from adapter.domain.kinds import Key, Kind

PAGE: Final = 250
"""Objects of one answer to a list."""

_EVERYTHING_SAFE: Final = "-._~:"


def kind_path(kind: Kind, namespace: str | None = None) -> str:
    """Of all objects of a kind; with None in every namespace, where a kind is in any."""
    place = f"namespaces/{_word(namespace)}/" if namespace and kind.namespaced else ""
    group = f"apis/{kind.group}" if kind.group else "api"
    return f"/{group}/{kind.version}/{place}{kind.plural}"


def object_path(key: Key, part: str = "") -> str:
    """Of one object, or of a part that is written on its own (`status`, `log`)."""
    path = f"{kind_path(key.kind, key.namespace)}/{_word(key.name)}"
    return f"{path}/{part}" if part else path


def _word(text: str) -> str:
    # A name of dots alone would lead elsewhere.
    return quote(text, safe=_EVERYTHING_SAFE) if text.strip(".") else text.replace(".", "%2E")


def list_params(labels: Mapping[str, str] | None = None, *, page: str = "") -> dict[str, str]:
    """What a list is asked with; `page` is what the answer before named the next one."""
    params = {"limit": str(PAGE)}
    if labels:
        params["labelSelector"] = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
    if page:
        params["continue"] = page
    return params


def watch_params(version: str, *, seconds: int) -> dict[str, str]:
    """What a watch is asked with: what came after this version, and now and then what the latest is."""
    return {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": version,
        "timeoutSeconds": str(seconds),
    }


def apply_params(manager: str) -> dict[str, str]:
    """What server-side apply is asked with: as a controller does it, also where others had the field."""
    return {"fieldManager": manager, "force": "true"}


def log_params(*, container: str, lines: int, bytes_max: int, previous: bool) -> dict[str, str]:
    """What the end of a log is asked with."""
    return {
        "container": container,
        "tailLines": str(lines),
        "limitBytes": str(bytes_max),
        "previous": "true" if previous else "false",
    }
