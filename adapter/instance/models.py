"""The registered models as the mesh serves them: register, forget, load, report (`mmesh.ModelMesh`).

Follows ModelMesh's management semantics (reference: ModelMesh core 1.3).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from adapter.aio.clock import Clock
from adapter.cache.messages import PinRuled
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import (
    AdapterError,
    InvalidRequest,
    ModelExists,
    ModelNotFound,
    Refused,
)
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRecord, CopyRules, CopyState, ModelInfo, ModelRecord
from adapter.domain.status import CopyStatus, ModelReport, ModelStatus
from adapter.instance.aliases import Aliases
from adapter.instance.copies import Copies
from adapter.instance.holding import Holding
from adapter.instance.loader import Loader
from adapter.instance.runtime_watch import RuntimeWatch
from adapter.instance.wayfinder import Wayfinder
from adapter.registry.model_records import ModelRecords
from adapter.registry.registry import Entry
from adapter.wire.headers import ModelRef

log = logging.getLogger(__name__)

HOUR_MS: Final = 3_600_000
AGE_WHEN_LOADED_NOW_MS: Final = HOUR_MS
AGE_WHEN_REGISTERED_MS: Final = 6 * HOUR_MS
"""How long ago a new model counts as used (reference: ModelMesh core 4.1, `LASTUSED_AGE_ON_ADD_MS`)."""

LAST_USED_NOTED_MS: Final = HOUR_MS
"""A use is written to the registry only if it is so much later than the one that is there."""

SYNC_FACTOR: Final = 5.0
"""Whoever waits for a load waits at most so many load timeouts (reference: ModelMesh core 4.6)."""

COPIES_MIN: Final = b'"minCopies"'
"""Few registrations have it; the others are not decoded."""

_UNREGISTERED: Final = ModelRecord(info=ModelInfo(type=""))


class Models:
    """What the management API and the request path ask about models."""

    def __init__(  # noqa: PLR0913 - what it joins, each by name
        self,
        *,
        records: ModelRecords,
        aliases: Aliases,
        cache: ModelCache,
        loader: Loader,
        ways: Wayfinder,
        copies: Copies,
        clock: Clock,
        watch: RuntimeWatch,
        holding: Holding,
    ) -> None:
        self._records = records
        self._aliases = aliases
        self._cache = cache
        self._loader = loader
        self._ways = ways
        self._copies = copies
        self._clock = clock
        self._watch = watch
        self._holding = holding
        self._here = ways.state.here
        self.on_rules: Callable[[ModelId, ModelRecord], None] = lambda _model, _record: None
        """Told of a registration that asks for a number of copies, and came to this instance."""
        self.on_ruled: Callable[[ModelId, ModelRecord], None] = lambda _model, _record: None
        """Told of every such registration, wherever it came."""
        self.on_forgotten: Callable[[ModelId], None] = lambda _model: None
        """Told of a model that is registered no more."""

    # For the request path.

    def at_hand(self, model: ModelId) -> ModelRecord:
        """The registration if it is at hand; else one that says nothing."""
        record = self._records.cached(model)
        return record if isinstance(record, ModelRecord) else _UNREGISTERED

    async def record(self, model: ModelId) -> ModelRecord:
        """The registration. Raises `ModelNotFound`."""
        record = await self._records.get(model)
        if record is None:
            raise ModelNotFound(f"model {model} is not registered; register it with registerModel")
        return record

    async def exists(self, ref: ModelRef) -> bool:
        """Whether the name stands for a registered model."""
        try:
            model, _ = await self._aliases.resolve(ref)
            await self.record(model)
        except ModelNotFound:
            return False
        return True

    # For what V2 asks of the mesh itself.

    async def server_ready(self) -> bool:
        """Whether the runtime is there."""
        return self._watch.is_there

    async def ready(self, ref: ModelRef) -> bool:
        """Whether a call for the model would be answered: it is loaded, or will be when it is asked for.

        Never loads it. Raises `ModelNotFound`.
        """
        model, _ = await self._aliases.resolve(ref)
        await self.record(model)
        return self._status(model) is not ModelStatus.LOADING_FAILED

    async def repository_load(self, ref: ModelRef) -> None:
        """Wait until the model is loaded somewhere. Raises `ModelNotFound`, or the error of the load."""
        model, _ = await self._aliases.resolve(ref)
        record = await self.record(model)
        if not self._copies.loaded(model):
            await self._holding.until_served(record.info.type)
            await self._copies.add(
                model, record, because="RepositoryModelLoad asks for it", wait_s=self._sync_s
            )

    async def repository_unload(self, ref: ModelRef) -> None:
        """Give this instance's copy up; the registration stays, and the next request loads the model again.

        Raises `ModelNotFound`, or `Refused` while callers wait for the model to be loaded.
        """
        model, _ = await self._aliases.resolve(ref)
        await self.record(model)
        if not self._loader.unload(model):
            raise Refused(f"model {model} is being loaded for calls that wait for it; unload it after them")
        log.info("model is unloaded on demand", extra={"model": model})

    async def names(self, *, after: str, limit: int) -> Sequence[tuple[ModelId, ModelStatus]]:
        """At most `limit` registered models that come after `after`, by name, each with its status."""
        page = await self._records.page(after=after, limit=limit)
        return [(model, self._status(model)) for model, _ in page]

    # For the management API.

    async def register(
        self,
        model: ModelId,
        info: ModelInfo,
        *,
        load_now: bool,
        sync: bool,
        last_used_ms: int,
        rules: CopyRules | None = None,
    ) -> ModelReport:
        """Register; the same again is fine. Raises `ModelExists`, `InvalidRequest` or `RegistryReadOnly`."""
        if not info.type:
            raise InvalidRequest(f"model {model} needs a type: modelInfo.type must not be empty")
        used_ms = self._first_use_ms(last_used_ms, load_now=load_now)
        record = ModelRecord(info=info, last_used_ms=used_ms, rules=rules or CopyRules())
        if await self._records.create(model, record):
            log.info("model registered", extra={"model": model, "type": info.type})
        else:
            record = await self._registered_alike(
                model, info, used_ms=0 if load_now else last_used_ms, rules=rules
            )
        if record.rules != CopyRules():
            self.on_rules(model, record)
        if load_now:
            return await self._loaded_somewhere(model, record, sync=sync, last_used_ms=used_ms)
        return self.report(model)

    async def unregister(self, model: ModelId) -> None:
        """Forget the model and unload it; one that is not registered is fine.

        Raises `Refused` while vmodels name it, and `RegistryReadOnly`.
        """
        if await self._records.delete(model, unreferenced=True):
            log.info("model unregistered", extra={"model": model})
        self._loader.drop(model)

    async def status(self, model: ModelId) -> ModelReport:
        """What is known of the model; one that is not registered has the status NOT_FOUND."""
        if await self._records.get(model, fresh=True) is None:
            return ModelReport(status=ModelStatus.NOT_FOUND)
        return self.report(model)

    async def ensure_loaded(self, model: ModelId, *, sync: bool, last_used_ms: int) -> ModelReport:
        """Load the model if it is not; with `sync` wait for the end. The report tells of a failed load."""
        record = await self.record(model)
        return await self._loaded_somewhere(model, record, sync=sync, last_used_ms=last_used_ms)

    async def ensure_copies(
        self, model: ModelId, *, copies: int, sync: bool, last_used_ms: int
    ) -> ModelReport:
        """Have so many copies loaded, or as many as there is room for; `last_used_ms` 0 stands for now.

        With `sync` it is answered when no further one is being loaded for this. Raises `ModelNotFound`.
        """
        record = await self.record(model)
        report = await self._loaded_somewhere(model, record, sync=sync, last_used_ms=last_used_ms)
        missing = copies - max(self._copies.there_or_coming(model), 1)
        if report.status is ModelStatus.LOADING_FAILED:
            return report
        excluded = {copy.instance: "it has just been given a copy" for copy in report.copies}
        for _ in range(missing):
            try:
                added = await self._copies.add(
                    model,
                    record,
                    because=f"there are to be {copies} copies",
                    wait_s=self._sync_s if sync else 0.0,
                    used_ms=last_used_ms,
                    excluded=excluded,
                )
            except AdapterError as error:
                log.info("no further copy", extra={"model": model, "error": error.described})
                break
            excluded[added.instance] = "it has just been given a copy"
            report = self._with_copy(model, added.instance, ModelStatus.LOADED if sync else report.status)
        return report

    def loaded(self, model: ModelId) -> int:
        """How many copies are loaded."""
        return self._copies.loaded(model)

    def there_or_coming(self, model: ModelId) -> int:
        """How many copies are loaded, or being loaded."""
        return self._copies.there_or_coming(model)

    def heard(self, name: str, entry: Entry | None) -> None:
        """A registration has come, gone or changed: what is gone is unloaded here."""
        model = ModelId(name)
        if entry is None:
            self.on_forgotten(model)
            anew = self._records.cached(model)
            # It may be registered anew already, and be loaded as that has it.
            if anew is None or not self._loader.is_loading(model, anew.info):
                self._loader.drop(model)
            return
        if COPIES_MIN in entry.value and isinstance(ruled := self._records.decoded(entry), ModelRecord):
            self.on_ruled(model, ruled)
        if self._ways.held_here(model) is not None:
            record = self.at_hand(model)
            if record is not _UNREGISTERED:
                self._loader.tell(PinRuled(model=model, pinned=record.rules.pinned))

    def report(self, model: ModelId) -> ModelReport:
        """The status of a registered model, from what this instance sees of the mesh."""
        copies, now_ms = self._ways.copies(model), self._clock.epoch_ms()
        usable = {id_: copy for id_, copy in copies.items() if copy.state is not CopyState.FAILED}
        failed = {
            id_: copy
            for id_, copy in copies.items()
            if copy.state is CopyState.FAILED and copy.until_ms > now_ms
        }
        newest = sorted(failed.values(), key=lambda copy: -copy.since_ms)
        listed = [
            # ModelMesh does not tell a loading copy from a loaded one here, and lists both as UNKNOWN.
            *((id_, copy, ModelStatus.UNKNOWN) for id_, copy in usable.items()),
            *((id_, copy, ModelStatus.LOADING_FAILED) for id_, copy in failed.items()),
        ]
        return ModelReport(
            status=_status_of(usable, failed),
            errors=tuple(copy.failure for copy in newest),
            copies=tuple(
                CopyStatus(instance=id_, status=status, since_ms=copy.since_ms)
                for id_, copy, status in sorted(listed, key=lambda each: -each[1].since_ms)
            ),
        )

    def _status(self, model: ModelId) -> ModelStatus:
        return self.report(model).status

    async def _loaded_somewhere(
        self, model: ModelId, record: ModelRecord, *, sync: bool, last_used_ms: int
    ) -> ModelReport:
        usable = self._copies.there_or_coming(model)
        if usable and not (sync and not self._copies.loaded(model)):
            if self._cache.acquire(model, self._clock.now_s()):  # it counts as used
                self._loader.carry_out(self._cache.release(model, self._clock.now_s()))
            return self.report(model)
        try:
            if usable:
                await self._copies.awaited(model, record, wait_s=self._sync_s)
                return self._loaded_by_now(self.report(model))
            if sync:
                await self._holding.until_served(record.info.type)
            added = await self._copies.add(
                model,
                record,
                because="it is to be loaded",
                wait_s=self._sync_s if sync else 0.0,
                used_ms=last_used_ms,
            )
        except AdapterError as error:
            log.debug("a report tells of a failed load", extra={"model": model, "error": error.described})
            return self._failed(model, error)
        status = ModelStatus.LOADED if added.loaded else ModelStatus.LOADING
        return self._with_copy(model, added.instance, status)

    def _failed(self, model: ModelId, error: AdapterError) -> ModelReport:
        """What is known, though the failure may not be remembered, or not be told here yet."""
        report = self.report(model)
        if report.status is ModelStatus.LOADING_FAILED:
            return report
        return replace(report, status=ModelStatus.LOADING_FAILED, errors=(error.described, *report.errors))

    def _with_copy(self, model: ModelId, instance: InstanceId, status: ModelStatus) -> ModelReport:
        """What is known, though another instance's copy may not be told here yet."""
        report = self.report(model)
        if any(copy.instance == instance for copy in report.copies):
            return self._loaded_by_now(report) if status is ModelStatus.LOADED else report
        copy = CopyStatus(instance=instance, status=ModelStatus.UNKNOWN, since_ms=self._clock.epoch_ms())
        return replace(report, status=status, copies=(copy, *report.copies))

    @staticmethod
    def _loaded_by_now(report: ModelReport) -> ModelReport:
        """Another instance has said that it is loaded, which its record may not tell yet."""
        return replace(report, status=ModelStatus.LOADED) if report.status is ModelStatus.LOADING else report

    async def _registered_alike(
        self, model: ModelId, info: ModelInfo, *, used_ms: int, rules: CopyRules | None
    ) -> ModelRecord:
        """Check what is registered already, and note a use that is much later than the one noted."""

        def change(there: ModelRecord) -> ModelRecord:
            if there.info != info:
                raise ModelExists(f"Model already exists with different attribute values: {model}")
            later = used_ms - there.last_used_ms > LAST_USED_NOTED_MS and not self._records.read_only
            return replace(
                there,
                last_used_ms=used_ms if later else there.last_used_ms,
                rules=there.rules if rules is None else rules,
            )

        record = await self._records.update(model, change)
        if record is None:
            raise ModelNotFound(f"model {model} was unregistered meanwhile; register it again")
        return record

    @property
    def _sync_s(self) -> float:
        return self._watch.status.loading_timeout_s * SYNC_FACTOR

    def _first_use_ms(self, asked_ms: int, *, load_now: bool) -> int:
        now_ms = self._clock.epoch_ms()
        if asked_ms:
            return min(asked_ms, now_ms)
        return now_ms - (AGE_WHEN_LOADED_NOW_MS if load_now else AGE_WHEN_REGISTERED_MS)


def _status_of(usable: dict[InstanceId, CopyRecord], failed: dict[InstanceId, CopyRecord]) -> ModelStatus:
    if any(copy.state is CopyState.LOADED for copy in usable.values()):
        return ModelStatus.LOADED
    if usable:
        return ModelStatus.LOADING
    return ModelStatus.LOADING_FAILED if failed else ModelStatus.NOT_LOADED
