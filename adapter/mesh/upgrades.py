"""Which instances are about to be replaced by newer ones (reference: ModelMesh core 4.17).

The id of an instance is the end of its pod's name, `8f6c7b-x7k2p`: six characters of the hash of its
ReplicaSet and five of its own. Instances with the same labels and different hashes are of two ReplicaSets,
and the older one is probably being replaced if the newer one is new and the older one does not grow. A new
copy had better not go there. Ids that do not look like that say nothing.

Nothing is remembered between calls: what has left, and when, is not known, but what drains is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from adapter.domain.ids import InstanceId
from adapter.mesh.view import InstanceState

STARTED_LATELY_MS: Final = 10 * 60_000
"""A ReplicaSet that started an instance so lately replaces the older ones."""
STARTED_MS_MAX: Final = 20 * 60_000
"""One that did not even start one within this time replaces nothing."""
CHANGED_MS_MAX: Final = 15 * 60_000
"""Between these two it does, if the older one has changed so lately."""

# What Kubernetes makes random names of: no vowels, and none of 0, 1 and 3.
_POD_TAIL: Final = re.compile(r"[bcdfghjklmnpqrstvwxz2456789]{6}-[bcdfghjklmnpqrstvwxz2456789]{5}")
_HASH_CHARS: Final = 6

NOBODY: Final[frozenset[InstanceId]] = frozenset()


@dataclass(slots=True, eq=False)
class _ReplicaSet:
    """Instances with the same labels and the same hash."""

    members: list[InstanceId]
    first_ms: int
    """When the first of those that are left was started."""
    last_ms: int
    drains: bool = False
    """Some of it is about to leave."""
    stays: bool = False
    """Some of it is not."""

    def add(self, state: InstanceState) -> None:
        self.members.append(state.id)
        self.first_ms = min(self.first_ms, state.record.started_ms)
        self.last_ms = max(self.last_ms, state.record.started_ms)
        if state.record.draining:
            self.drains = True
        else:
            self.stays = True


def leaving(instances: Mapping[InstanceId, InstanceState], now_ms: int) -> frozenset[InstanceId]:
    """Those of ReplicaSets that are likely being replaced."""
    since_ms = now_ms - STARTED_MS_MAX
    for state in instances.values():
        if state.record.started_ms >= since_ms:
            break
    else:
        return NOBODY
    gone: list[InstanceId] = []
    for sets in _replica_sets(instances).values():
        if len(sets) > 1:
            gone.extend(_replaced(list(sets.values()), now_ms))
    return frozenset(gone) if gone else NOBODY


def _replica_sets(
    instances: Mapping[InstanceId, InstanceState],
) -> dict[tuple[str, ...], dict[str, _ReplicaSet]]:
    """By labels, then by hash."""
    found: dict[tuple[str, ...], dict[str, _ReplicaSet]] = {}
    for id_, state in instances.items():
        if _POD_TAIL.fullmatch(id_) is None:
            continue
        sets = found.setdefault(state.record.labels, {})
        part = id_[:_HASH_CHARS]
        its = sets.get(part)
        if its is None:
            started_ms = state.record.started_ms
            its = sets[part] = _ReplicaSet([], started_ms, started_ms)
        its.add(state)
    return found


def _replaced(sets: list[_ReplicaSet], now_ms: int) -> list[InstanceId]:
    """Who goes, of the ReplicaSets with the same labels."""
    # One that only drains is itself being replaced, by an older one when a rollout is undone.
    staying = [each for each in sets if each.stays]
    if not staying:
        return []
    newest = max(staying, key=_first_ms)
    age_ms = now_ms - newest.last_ms
    if age_ms > STARTED_MS_MAX:
        return []
    gone: list[InstanceId] = []
    for each in sets:
        if each is newest or each.last_ms >= newest.first_ms:
            continue
        changed = each.drains or now_ms - each.last_ms <= CHANGED_MS_MAX
        if age_ms <= STARTED_LATELY_MS or changed:
            gone.extend(each.members)
    return gone


def _first_ms(replica_set: _ReplicaSet) -> int:
    return replica_set.first_ms
