"""What this instance tells of itself: its record and its copies, under its lease.

The registry is brought to what the cache says, whatever has happened in between: `refresh(model)` looks at
the cache, and so may be called too often, and never too late. A load that is quick is told once, when it is
done.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from adapter.aio.clock import Clock, epoch_ms_at
from adapter.cache.entry import EntryState
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import (
    AdapterError,
    BadModelKey,
    ObjectMissing,
    RuntimeCrashed,
    StorageAccessDenied,
    StorageKeyUnknown,
)
from adapter.domain.ids import ModelId
from adapter.domain.records import CopyRecord, CopyState, InstanceRecord
from adapter.instance.held import held
from adapter.instance.mesh_state import INSTANCES, LEADER, MeshState
from adapter.registry.encoding import encode_copy, encode_instance
from adapter.registry.presence import Presence

log = logging.getLogger(__name__)

TOLD_LATER_S: Final = 0.1
"""A load that takes no longer than this is told when it is done."""
MEASURED_S_MAX: Final = 0.01
"""How long a loaded copy is not told, because its size is still being asked for."""
TOLD_S_MAX: Final = 2.0
"""How long the registry may take to hear of it, where somebody waits for that."""
RECORD_EVERY_S: Final = 40.0
"""The own record is told again after so long, however little has changed (reference: ModelMesh core 3.5)."""
RECORD_PAUSE_S: Final = 2.0
"""It is never told more often."""

EVERYWHERE: Final = (BadModelKey, StorageKeyUnknown, StorageAccessDenied, ObjectMissing, RuntimeCrashed)
"""Failures that another instance would have too."""

CRASHED: Final = "UNAVAILABLE: the runtime ended while it loaded or answered this model"
CRASHES_REMEMBERED_MAX: Final = 10_000


class Announcer:
    """Tells of one instance."""

    def __init__(
        self,
        *,
        state: MeshState,
        presence: Presence,
        cache: ModelCache,
        clock: Clock,
        record: InstanceRecord,
    ) -> None:
        self._state = state
        self._presence = presence
        self._cache = cache
        self._clock = clock
        self._later: dict[ModelId, asyncio.TimerHandle] = {}
        self._told: dict[ModelId, CopyRecord] = {}
        self._crashes: dict[ModelId, int] = {}
        self.record = record
        """As it was told last, or will be told at the next occasion."""
        self.rpm: Callable[[], int] = lambda: 0
        self.idle_since_ms: Callable[[], int | None] = lambda: None
        self._told_s = 0.0
        self._withdrawn = False
        state.view.put_instance(state.here, record)

    # Copies.

    def refresh(self, model: ModelId) -> None:
        """Something has become of this model here."""
        later = self._later.get(model)
        if held(self._cache, model) is CopyState.LOADING:
            told = self._told.get(model)
            # Each who asks for it comes by here; that must not put it off.
            if later is None and (told is None or told.state is not CopyState.LOADING):
                self._tell_later(model, TOLD_LATER_S)
            return
        if later is not None:
            later.cancel()
            del self._later[model]
        if self._cache.state(model) is EntryState.SIZING and model not in self._told:
            self._tell_later(model, MEASURED_S_MAX)
        else:
            self._tell(model)

    def tell_now(self, model: ModelId) -> None:
        """Somebody was told that it is being loaded, and may ask another instance about it."""
        later = self._later.get(model)
        if later is not None:
            later.cancel()
            self._tell(model)

    async def told(self, model: ModelId) -> None:
        """Wait until the registry has what became of this model here, if that is quick."""
        later = self._later.get(model)
        if later is not None:
            await self._clock.sleep(max(later.when() - asyncio.get_running_loop().time(), 0.0))
        await self.settled(TOLD_S_MAX)

    def crashed(self, model: ModelId) -> None:
        """The runtime ended while it loaded or answered this model."""
        self._crashes[model] = self._crashes.get(model, 0) + 1
        if len(self._crashes) > CRASHES_REMEMBERED_MAX:
            del self._crashes[next(iter(self._crashes))]

    def crashes(self, model: ModelId) -> int:
        """How often that has happened, also if it has not been told yet."""
        return self._crashes.get(model, 0)

    def forgive(self, model: ModelId) -> None:
        """The model was registered anew, or forgotten."""
        self._crashes.pop(model, None)

    def _tell_later(self, model: ModelId, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._later[model] = loop.call_later(delay_s, self._tell, model)

    def _tell(self, model: ModelId) -> None:
        self._later.pop(model, None)
        record = None if self._withdrawn else self._copy(model)
        if record == self._told.get(model):
            return
        key, view, here = self._state.copy_key(model), self._state.view, self._state.here
        if record is None:
            del self._told[model]
            view.drop_copy(model, here)
            self._presence.remove(key)
        else:
            self._told[model] = record
            view.put_copy(model, here, record)
            self._presence.put(key, encode_copy(record))
        for tell in self._state.on_copies:
            tell(model)

    def _copy(self, model: ModelId) -> CopyRecord | None:
        cache, clock, state = self._cache, self._clock, held(self._cache, model)
        now_s, now_ms = clock.now_s(), clock.epoch_ms()
        crashes = self._crashes.get(model, 0)
        failure = cache.failure(model, now_s)
        if failure is not None:
            return CopyRecord(
                state=CopyState.FAILED,
                since_ms=epoch_ms_at(clock, failure.at_s),
                failure=failure.error.described,
                until_ms=epoch_ms_at(clock, failure.expires_s),
                everywhere=is_everywhere(failure.error),
                crashes=crashes,
            )
        if state is None:
            if not crashes:
                return None
            # Others are to know that it was tried here, and that it may be tried again.
            return CopyRecord(
                state=CopyState.FAILED, since_ms=now_ms, until_ms=now_ms, failure=CRASHED, crashes=crashes
            )
        since_s, worth = cache.loading_since(model), cache.worth(model, now_s)
        return CopyRecord(
            state=state,
            since_ms=now_ms if since_s is None else epoch_ms_at(clock, since_s),
            size_bytes=0 if worth is None else worth.size_bytes,
            load_s=round(worth.load_s, 6) if worth is not None and state is CopyState.LOADED else 0.0,
            crashes=crashes,
        )

    # The instance.

    def stand(self) -> None:
        """Be a candidate for the leader."""
        self._presence.put(self._state.key(LEADER, self._state.here), self._state.here.encode())

    def stand_down(self) -> None:
        """Let somebody else be the leader."""
        self._presence.remove(self._state.key(LEADER, self._state.here))

    def placed_at(self, address: str) -> InstanceRecord:
        """The first record, now that it is known where peers reach this instance."""
        self.record = replace(self._now(), address=address)
        self._state.view.put_instance(self._state.here, self.record)
        return self.record

    def announce(self, *, draining: bool | None = None, endpoints: Mapping[str, str] | None = None) -> None:
        """Tell the record at once, with what has changed of it."""
        now = self._now()
        self.record = replace(
            now,
            draining=now.draining if draining is None else draining,
            endpoints=now.endpoints if endpoints is None else endpoints,
        )
        self._put()

    async def keep_telling(self) -> None:
        """Tell the record whenever it has changed by enough; ends when cancelled."""
        while True:
            await self._clock.sleep(RECORD_PAUSE_S)
            record = self._now()
            self._state.view.put_instance(self._state.here, record)
            due = self._clock.now_s() - self._told_s >= RECORD_EVERY_S and record != self.record
            if due or _is_news(self.record, record):
                self.record = record
                self._put()

    def withdraw(self) -> None:
        """Nobody is to come here for a copy any more; what is here still answers."""
        self._withdrawn = True
        for later in self._later.values():
            later.cancel()
        self._later.clear()
        for model in list(self._told):
            self._tell(model)

    async def settled(self, timeout_s: float) -> None:
        """Wait until all that was told is in the registry, if that is quick."""
        try:
            await self._presence.settled(timeout_s)
        except AdapterError:
            log.warning("the registry does not hear what this instance tells")

    def _put(self) -> None:
        self._told_s = self._clock.now_s()
        self._state.view.put_instance(self._state.here, self.record)
        self._presence.put(self._state.key(INSTANCES, self._state.here), encode_instance(self.record))

    def _now(self) -> InstanceRecord:
        cache = self._cache
        coldest_s = cache.coldest_used_s()
        return replace(
            self.record,
            capacity_bytes=cache.capacity_bytes,
            used_bytes=cache.used_bytes,
            copies=cache.copies,
            coldest_ms=None if coldest_s is None else epoch_ms_at(self._clock, coldest_s),
            loading=cache.loading,
            loading_slots=cache.loading_slots,
            rpm=self.rpm(),
            idle_since_ms=self.idle_since_ms(),
        )


def _is_news(told: InstanceRecord, now: InstanceRecord) -> bool:
    """Whether the others should hear of it (the thresholds of ModelMesh core 3.5)."""
    return (
        _differ(told.capacity_bytes, now.capacity_bytes, 0.02)
        or _differ(told.used_bytes, now.used_bytes, 0.2)
        or (_differ(told.copies, now.copies, 0.15) and abs(told.copies - now.copies) >= 10)  # noqa: PLR2004
        or (told.loading == 0) is not (now.loading == 0)
        or abs(told.loading - now.loading) >= 3  # noqa: PLR2004
        or told.loading_slots != now.loading_slots
        or (told.idle_since_ms is None) is not (now.idle_since_ms is None)
        or (_differ(told.rpm, now.rpm, 0.1) and abs(told.rpm - now.rpm) >= 100)  # noqa: PLR2004
    )


def _differ(told: int, now: int, share: float) -> bool:
    return abs(told - now) > share * max(told, 1)


def is_everywhere(error: AdapterError) -> bool:
    """Whether another instance would fail in the same way."""
    return isinstance(error, EVERYWHERE)
