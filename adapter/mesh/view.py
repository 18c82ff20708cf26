"""What this instance sees of the mesh: the instances, and the copies of each model.

It is told of every change by whoever follows the registry, and answers at once. What of a record may be
seconds old (`InstanceRecord.used_bytes`) is corrected by the table of copies, which is at most a moment old.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRecord, CopyState, InstanceRecord

_NO_COPIES: Final[Mapping[InstanceId, CopyRecord]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceState:
    """One instance as the others see it at one moment."""

    id: InstanceId
    record: InstanceRecord
    copies: int
    """That it holds or loads, by the table of copies."""
    used_bytes: int
    """What those take, by the same table; at least what the record says."""
    loading: int
    """Copies that it loads now."""

    @property
    def free_bytes(self) -> int:
        return max(self.record.capacity_bytes - self.used_bytes, 0)


@dataclass(slots=True)
class _Held:
    """What the table of copies says of one instance."""

    copies: int = 0
    size_bytes: int = 0
    loading: int = 0

    def add(self, record: CopyRecord, sign: int) -> None:
        if record.state is CopyState.FAILED:
            return
        self.copies += sign
        self.size_bytes += sign * record.size_bytes
        if record.state is CopyState.LOADING:
            self.loading += sign


class MeshView:
    """The tables of instances and copies."""

    def __init__(self) -> None:
        self._records: dict[InstanceId, InstanceRecord] = {}
        self._copies: dict[ModelId, dict[InstanceId, CopyRecord]] = {}
        self._held: dict[InstanceId, _Held] = {}
        self._states: dict[InstanceId, InstanceState] = {}
        self._changed = set[InstanceId]()
        """Those whose state is not up to date."""

    def __repr__(self) -> str:
        return f"<MeshView {len(self._records)} instances, copies of {len(self._copies)} models>"

    def __len__(self) -> int:
        """Of how many models there is a copy, or a failed load."""
        return len(self._copies)

    # What is seen.

    @property
    def instances(self) -> Mapping[InstanceId, InstanceState]:
        """All that have a record, those that drain too. What was handed out before stays as it was."""
        if self._changed:
            states = self._states.copy()
            for id_ in self._changed:
                record = self._records.get(id_)
                if record is None:
                    states.pop(id_, None)
                else:
                    states[id_] = self._state(id_, record)
            self._states = states
            self._changed.clear()
        return self._states

    def copies(self, model: ModelId) -> Mapping[InstanceId, CopyRecord]:
        """By instance, loading and failed ones too; of instances that the registry still has."""
        there = self._copies.get(model)
        if there is None:
            return _NO_COPIES
        if there.keys() <= self._records.keys():
            return there
        return {id_: record for id_, record in there.items() if id_ in self._records}

    def models(self) -> Iterator[ModelId]:
        """All of which there is a copy, or a failed load."""
        return iter(self._copies)

    # What is told.

    def put_instance(self, instance: InstanceId, record: InstanceRecord) -> None:
        self._records[instance] = record
        self._changed.add(instance)

    def drop_instance(self, instance: InstanceId) -> None:
        self._records.pop(instance, None)
        self._changed.add(instance)

    def put_copy(self, model: ModelId, instance: InstanceId, record: CopyRecord) -> None:
        self.drop_copy(model, instance)
        self._copies.setdefault(model, {})[instance] = record
        self._held.setdefault(instance, _Held()).add(record, 1)

    def drop_copy(self, model: ModelId, instance: InstanceId) -> None:
        self._changed.add(instance)
        there = self._copies.get(model)
        record = None if there is None else there.pop(instance, None)
        if there is None or record is None:
            return
        if not there:
            del self._copies[model]
        held = self._held.get(instance)
        if held is None:
            return  # of this instance there are failed ones alone, which do not count
        held.add(record, -1)
        if held == _Held():
            del self._held[instance]

    def reset_instances(self, records: Mapping[InstanceId, InstanceRecord]) -> None:
        """These, and no others."""
        self._changed.update(self._records, records)
        self._records = dict(records)

    def reset_copies(self) -> None:
        """None are known any more."""
        self._copies.clear()
        self._held.clear()
        self._changed.update(self._records)

    def _state(self, id_: InstanceId, record: InstanceRecord) -> InstanceState:
        held = self._held.get(id_, _Held())
        return InstanceState(
            id=id_,
            record=record,
            copies=held.copies,
            used_bytes=max(held.size_bytes, record.used_bytes),
            loading=held.loading,
        )
