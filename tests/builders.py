"""Words to build with: `an_instance("a").with_free(gib(4)).draining()`. A case says what matters to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRecord, CopyState, InstanceRecord
from adapter.mesh.view import InstanceState
from adapter.mesh.wanted import Wanted

NOW_MS: Final = 1_760_000_000_000
"""What the clock says in tests of pure rules."""
SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS


def mib(count: float) -> int:
    return int(count * (1 << 20))


def gib(count: float) -> int:
    return int(count * (1 << 30))


@dataclass(frozen=True, slots=True)
class AnInstance:
    """An instance of the mesh, of 1 GiB, empty and idle unless said otherwise."""

    state: InstanceState

    @property
    def id(self) -> InstanceId:
        return self.state.id

    def but(self, **changes: Any) -> Self:
        """With another record."""
        return replace(self, state=replace(self.state, record=replace(self.state.record, **changes)))

    def with_capacity(self, size_bytes: int) -> Self:
        return self.but(capacity_bytes=size_bytes)

    def with_free(self, size_bytes: int) -> Self:
        used_bytes = self.state.record.capacity_bytes - size_bytes
        return replace(self, state=replace(self.state, used_bytes=used_bytes)).but(used_bytes=used_bytes)

    def with_copies(self, copies: int) -> Self:
        return replace(self, state=replace(self.state, copies=copies)).but(copies=copies)

    def full(self, *, unused_ms: int = HOUR_MS, copies: int = 20) -> Self:
        """Its coldest copy was used so long ago."""
        return self.with_free(0).with_copies(copies).with_coldest(unused_ms)

    def with_coldest(self, unused_ms: int) -> Self:
        return self.but(coldest_ms=NOW_MS - unused_ms)

    def loading(self, loads: int, *, slots: int = 1) -> Self:
        return replace(self, state=replace(self.state, loading=loads)).but(loading=loads, loading_slots=slots)

    def labelled(self, *labels: str) -> Self:
        return self.but(labels=labels)

    def at(self, *, zone: str = "", location: str = "") -> Self:
        return self.but(zone=zone, location=location)

    def started(self, ago_ms: int) -> Self:
        return self.but(started_ms=NOW_MS - ago_ms)

    def of_version(self, version: str) -> Self:
        return self.but(version=version)

    def busy(self, rpm: int) -> Self:
        return self.but(rpm=rpm)

    def draining(self) -> Self:
        return self.but(draining=True)


def an_instance(name: str) -> AnInstance:
    """Started a day ago."""
    record = InstanceRecord(
        boot=f"{name}-1", address=f"{name}:8080", started_ms=NOW_MS - 24 * HOUR_MS, capacity_bytes=gib(1)
    )
    return AnInstance(InstanceState(id=InstanceId(name), record=record, copies=0, used_bytes=0, loading=0))


def a_mesh(*instances: AnInstance | str) -> dict[InstanceId, InstanceState]:
    """As `MeshView.instances` has them."""
    built = [an_instance(each) if isinstance(each, str) else each for each in instances]
    return {each.id: each.state for each in built}


def loaded(*, size_bytes: int = 0, **fields: Any) -> CopyRecord:
    return CopyRecord(state=CopyState.LOADED, since_ms=NOW_MS - HOUR_MS, size_bytes=size_bytes, **fields)


def loading(*, for_ms: int = SECOND_MS, **fields: Any) -> CopyRecord:
    return CopyRecord(state=CopyState.LOADING, since_ms=NOW_MS - for_ms, **fields)


def failed(
    failure: str = "INTERNAL: the runtime said no",
    *,
    ago_ms: int = MINUTE_MS,
    expires_ms: int = 10 * MINUTE_MS,
    **fields: Any,
) -> CopyRecord:
    """A load that failed, and is tried again in ten minutes."""
    return CopyRecord(
        state=CopyState.FAILED,
        since_ms=NOW_MS - ago_ms,
        failure=failure,
        until_ms=NOW_MS + expires_ms,
        **fields,
    )


def copies(**records: CopyRecord) -> dict[InstanceId, CopyRecord]:
    """By the names of instances."""
    return {InstanceId(name): record for name, record in records.items()}


def wanted(
    model: str = "iris",
    *,
    here: str = "a",
    excluded: Mapping[str, str] | None = None,
    **fields: Any,
) -> Wanted:
    """A request for it, now. What is held here is what the copies say, unless `held_here` does."""
    here_id = InstanceId(here)
    record = fields.get("copies", {}).get(here_id)
    fields.setdefault("held_here", None if record is None else record.state)
    fields.setdefault("type", "rt:sklearn")
    fields.setdefault("used_ms", NOW_MS)
    return Wanted(
        model=ModelId(model),
        here=here_id,
        excluded={InstanceId(id_): reason for id_, reason in (excluded or {}).items()},
        **fields,
    )


def flights(**in_flight: int) -> Callable[[InstanceId], int]:
    """So many calls of ours each instance answers now; none, if it is not named."""
    return lambda instance: in_flight.get(instance, 0)
