"""What becomes of one object when somebody changes it, by the rules of Kubernetes' API server.

Manifests are values: a change makes a new one, which shares what stayed the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from adapter.domain.kinds import Manifest

GIVEN: Final = ("uid", "creationTimestamp", "deletionTimestamp", "resourceVersion", "generation")
"""What of the metadata only the cluster writes."""
_NO_WISH: Final = ("apiVersion", "kind", "metadata", "status")
"""Parts whose change is no new generation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What one change is marked with."""

    revision: int
    now: str
    """RFC 3339."""
    uid: str
    """Of an object that is made by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One object, and who asked for what of it."""

    manifest: Manifest
    applied: Mapping[str, Manifest] = field(default_factory=dict)
    """What each manager applied last."""
    source: str = ""
    """The file that declares it; empty: it was made by a call."""
    digest: str = ""
    """Of that declaration."""

    @property
    def is_deleted(self) -> bool:
        """It is to go, and waits for its finalizers."""
        return "deletionTimestamp" in self.manifest["metadata"]

    @property
    def has_finalizers(self) -> bool:
        return bool(self.manifest["metadata"].get("finalizers"))


def merge_patched(target: object, patch: object) -> Any:  # noqa: ANN401 - JSON
    """The JSON merge patch of RFC 7386."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patched(result.get(name), value)
    return result


def applied_to(live: object, before: object, wanted: object) -> Any:  # noqa: ANN401 - JSON
    """The live value with what is wanted, without what was wanted before and is not any more.

    Mappings are merged; anything else is wanted as a whole.
    """
    if not isinstance(wanted, Mapping):
        return wanted
    result = dict(live) if isinstance(live, Mapping) else {}
    if isinstance(before, Mapping):
        for name in before.keys() - wanted.keys():
            _take_back(result, name, before[name])
    past = before if isinstance(before, Mapping) else {}
    for name, value in wanted.items():
        result[name] = applied_to(result.get(name), past.get(name), value)
    return result


def _take_back(result: dict[str, Any], name: str, before: object) -> None:
    """Remove what was applied; what others put beside it stays."""
    live = result.get(name)
    if not isinstance(before, Mapping) or not isinstance(live, Mapping):
        result.pop(name, None)
        return
    left = applied_to(live, before, {})
    if left:
        result[name] = left
    else:
        result.pop(name, None)


def born(manifest: Manifest, stamp: Stamp) -> Manifest:
    """A new object."""
    metadata = {name: value for name, value in manifest["metadata"].items() if name not in GIVEN}
    return {
        **manifest,
        "metadata": {
            **metadata,
            "uid": stamp.uid,
            "creationTimestamp": stamp.now,
            "resourceVersion": str(stamp.revision),
            "generation": 1,
        },
    }


def changed(before: Manifest, after: Manifest, stamp: Stamp) -> Manifest:
    """The object after a change; itself if nothing is different."""
    old = before["metadata"]
    new = {name: value for name, value in after["metadata"].items() if name not in GIVEN}
    kept = {name: old[name] for name in GIVEN if name in old}
    if all(
        before.get(part) == after.get(part) for part in before.keys() | after.keys() if part != "metadata"
    ):
        if {**new, **kept} == old:
            return before
        generation = old["generation"]
    else:
        generation = old["generation"] + (1 if _is_new_wish(before, after) else 0)
    return {
        **after,
        "metadata": {**new, **kept, "resourceVersion": str(stamp.revision), "generation": generation},
    }


def _is_new_wish(before: Manifest, after: Manifest) -> bool:
    return any(
        before.get(part) != after.get(part) for part in before.keys() | after.keys() if part not in _NO_WISH
    )


def deleted(record: Record, stamp: Stamp) -> Record | None:
    """It is to go: at once, or (then it stays, marked so) when it has no finalizers any more."""
    if not record.has_finalizers:
        return None
    if record.is_deleted:
        return record
    metadata = {
        **record.manifest["metadata"],
        "deletionTimestamp": stamp.now,
        "resourceVersion": str(stamp.revision),
    }
    return replace(record, manifest={**record.manifest, "metadata": metadata})
