"""Registrations, over any registry: one record for each model (reference: ModelMesh core 3.2)."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from adapter.domain.errors import RecordUnreadable, RegistryUnavailable
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelRecord
from adapter.registry.encoding import decode_model, encode_model
from adapter.registry.registry import Entry, Registry

CACHED_MAX: Final = 10_000
"""Decoded records that are kept for the request path; the one that was asked for longest ago goes first."""

TRIES_MAX: Final = 8
"""How often a change is tried when others write the same record meanwhile."""


class _Known(NamedTuple):
    record: ModelRecord
    mod_revision: int


class ModelRecords:
    """The registered models.

    Every call may raise `RegistryUnavailable`; `get` and `update` also raise `RecordUnreadable`. What is
    cached is right as long as nobody else writes below the prefix.
    """

    def __init__(self, registry: Registry, prefix: str, *, cached_max: int = CACHED_MAX) -> None:
        if not prefix.endswith("/"):
            raise ValueError(f"the prefix of the registry's keys must end in /: {prefix!r}")
        self._registry = registry
        self._prefix = f"{prefix}registry/"
        self._cached_max = cached_max
        self._cached: dict[ModelId, _Known] = {}
        self._writes = 0
        # Counts our commits: what was read while one was under way may be outdated, and is not cached.

    def cached(self, model: ModelId) -> ModelRecord | None:
        """The record, if it is at hand; None says nothing."""
        known = self._cached.get(model)
        if known is None:
            return None
        self._keep(model, known)
        return known.record

    async def get(self, model: ModelId) -> ModelRecord | None:
        """The record; None: nothing is registered under this name."""
        record = self.cached(model)
        if record is not None:
            return record
        known = await self._read(model)
        return None if known is None else known.record

    async def create(self, model: ModelId, record: ModelRecord) -> bool:
        """Register the model. False: something is registered under this name already."""
        return await self._write(model, record, mod_revision=0)

    async def update(
        self, model: ModelId, change: Callable[[ModelRecord], ModelRecord]
    ) -> ModelRecord | None:
        """Replace the record by what `change` makes of it; None: there is none (any more).

        `change` is called again when somebody else wrote the record meanwhile.
        """
        for _ in range(TRIES_MAX):
            known = await self._read(model)
            if known is None:
                return None
            record = change(known.record)
            if record == known.record or await self._write(model, record, mod_revision=known.mod_revision):
                return record
        raise self._contended(model)

    async def delete(self, model: ModelId) -> bool:
        """Forget the model. False: it was not registered."""
        for _ in range(TRIES_MAX):
            # Read as bytes: a record that cannot be decoded must not be there for ever.
            entry = await self._registry.get(self._key(model))
            if entry is None:
                self._cached.pop(model, None)
                return False
            if await self._write(model, None, mod_revision=entry.mod_revision):
                return True
        raise self._contended(model)

    async def page(
        self, *, after: str = "", limit: int
    ) -> Sequence[tuple[ModelId, ModelRecord | RecordUnreadable]]:
        """At most `limit` registrations whose names come after `after`, in order of name.

        A record that cannot be read stands there as its error: one bad record does not hide the others.
        """
        entries = await self._scan(after=after, limit=limit)
        return [(self._model(entry), _decoded(entry)) for entry in entries]

    async def _scan(self, *, after: str, limit: int) -> Sequence[Entry]:
        start = self._key(ModelId(after)) if after else ""
        return await self._registry.scan(self._prefix, after=start, limit=limit)

    async def _read(self, model: ModelId) -> _Known | None:
        writes = self._writes
        entry = await self._registry.get(self._key(model))
        if entry is None:
            return None
        known = _Known(decode_model(entry.key, entry.value), entry.mod_revision)
        if writes == self._writes:
            self._keep(model, known)
        return known

    async def _write(self, model: ModelId, record: ModelRecord | None, *, mod_revision: int) -> bool:
        """Write or delete, if the key still has this revision."""
        key = self._key(model)
        value = None if record is None else encode_model(record)
        self._writes += 1
        mine = self._writes
        try:
            revision = await self._registry.commit({key: value}, guards={key: mod_revision})
        finally:
            alone = mine == self._writes
            self._writes += 1
            self._cached.pop(model, None)
        if alone and revision is not None and record is not None:
            self._keep(model, _Known(record, revision))
        return revision is not None

    def _keep(self, model: ModelId, known: _Known) -> None:
        self._cached.pop(model, None)
        self._cached[model] = known
        if len(self._cached) > self._cached_max:
            del self._cached[next(iter(self._cached))]

    def _key(self, model: ModelId) -> str:
        return self._prefix + model

    def _model(self, entry: Entry) -> ModelId:
        return ModelId(entry.key.removeprefix(self._prefix))

    def _contended(self, model: ModelId) -> RegistryUnavailable:
        return RegistryUnavailable(
            f"the registration of {model} was changed by others {TRIES_MAX} times in a row; try again"
        )


def _decoded(entry: Entry) -> ModelRecord | RecordUnreadable:
    try:
        return decode_model(entry.key, entry.value)
    except RecordUnreadable as error:
        return error
