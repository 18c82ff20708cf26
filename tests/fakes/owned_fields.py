"""Which manager owns which field of an object, and JSON merge patches: what an API server does with both.

A field is the path to a leaf; a list is one leaf, as in a kind whose schema says nothing else of it. A map
that is left empty goes with its last field; a real server may make null of it, and refuse that.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]
Owner = tuple[str, str]
"""A manager, and `Apply` or `Update`."""
Owners = dict[Owner, frozenset[Path]]

GONE = object()
"""What stands at a path where nothing does."""

IDENTITY = {("apiVersion",), ("kind",)} | {
    ("metadata", name)
    for name in (
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
    )
}
"""Fields that nobody owns."""


def leaves(manifest: Mapping[str, Any]) -> frozenset[Path]:
    """Every field that has a value of somebody's."""
    return frozenset(path for path in _leaves(manifest, ()) if path not in IDENTITY)


def _leaves(value: object, path: Path) -> Iterator[Path]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif path:
        yield path


def at(manifest: Mapping[str, Any], path: Path) -> Any:
    """What stands there, or `GONE`."""
    value: Any = manifest
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return GONE
        value = value[name]
    return value


def put(manifest: dict[str, Any], path: Path, value: object) -> None:
    """Have this value there, and maps on the way to it."""
    for name in path[:-1]:
        inner = manifest.get(name)
        if not isinstance(inner, dict):
            inner = manifest[name] = {}
        manifest = inner
    manifest[path[-1]] = value


def remove(manifest: dict[str, Any], path: Path) -> None:
    """Have nothing there, nor maps that are empty without it."""
    inner = manifest.get(path[0])
    if len(path) == 1:
        manifest.pop(path[0], None)
    elif isinstance(inner, dict):
        remove(inner, path[1:])
        if not inner:
            del manifest[path[0]]


def applied(
    before: dict[str, Any], owners: Owners, wanted: Mapping[str, Any], *, manager: str
) -> tuple[dict[str, Any], Owners]:
    """The object and its owners after a forced server-side apply; `before` is used up."""
    me = (manager, "Apply")
    mine, after = leaves(wanted), dict(owners)
    after[me] = mine
    for path in owners.get(me, frozenset()) - mine:
        if not any(path in theirs for owner, theirs in after.items() if owner != me):
            remove(before, path)
    for path in mine:
        value, there = at(wanted, path), at(before, path)
        if there != value and not (value == {} and isinstance(there, Mapping)):
            put(before, path, value)
            after = {owner: theirs if owner == me else theirs - {path} for owner, theirs in after.items()}
    here = leaves(before)  # where a map replaced a value, nobody owns that any more
    return before, _tidied({owner: paths if owner == me else paths & here for owner, paths in after.items()})


def updated(before: Mapping[str, Any], after: Mapping[str, Any], owners: Owners, *, manager: str) -> Owners:
    """The owners after an update made this of it: whoever changes a field owns it alone."""
    here = leaves(after)
    changed = frozenset(path for path in here if at(before, path) != at(after, path))
    kept = {owner: (theirs - changed) & here for owner, theirs in owners.items()}
    me = (manager, "Update")
    kept[me] = kept.get(me, frozenset()) | changed
    return _tidied(kept)


def _tidied(owners: Owners) -> Owners:
    return {owner: paths for owner, paths in owners.items() if paths}


def merged(before: object, patch: object) -> Any:
    """RFC 7386; neither argument is changed."""
    if not isinstance(patch, Mapping):
        return patch
    after = dict(before) if isinstance(before, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            after.pop(name, None)
        else:
            after[name] = merged(after.get(name), value)
    return after
