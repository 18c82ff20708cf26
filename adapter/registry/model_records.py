"""Registrations, over any registry: one record for each model (reference: ModelMesh core 3.2)."""

from collections.abc import Callable, Sequence
from typing import Final

from adapter.domain.errors import RecordUnreadable, Refused, RegistryUnavailable
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelRecord
from adapter.registry.cached_records import TRIES_MAX, UNKNOWN, CachedRecords
from adapter.registry.encoding import decode_model, encode_model
from adapter.registry.registry import Registry

CACHED_MAX: Final = 40_000
"""Decoded records that are kept for the request path: at least the 20,000 that were asked for last."""


class ModelRecords(CachedRecords[ModelRecord]):
    """The registered models.

    Every call may raise `RegistryUnavailable`; `get` and `update` also raise `RecordUnreadable`, and what
    writes raises `RegistryReadOnly`. That a model is not registered is never taken from what is at hand.
    """

    def __init__(
        self, registry: Registry, prefix: str, *, cached_max: int = CACHED_MAX, read_only: bool = False
    ) -> None:
        super().__init__(
            registry,
            prefix,
            table="registry/",
            decode=decode_model,
            encode=encode_model,
            cached_max=cached_max,
            keep_absent=False,
            read_only=read_only,
        )

    def cached(self, model: ModelId) -> ModelRecord | None:
        """The record, if it is at hand; None says nothing."""
        record = self.peek(model)
        return None if record is UNKNOWN else record

    async def update(
        self, model: ModelId, change: Callable[[ModelRecord], ModelRecord]
    ) -> ModelRecord | None:
        """Replace the record by what `change` makes of it; None: there is none (any more).

        `change` is called again when somebody else wrote the record meanwhile.
        """
        for _ in range(TRIES_MAX):
            there, revision = await self.read(model)
            if there is None:
                return None
            if isinstance(there, RecordUnreadable):
                raise there
            record = change(there)
            if record == there or await self.write(model, record, revision=revision):
                return record
        raise self._contended(model)

    async def delete(self, model: ModelId, *, unreferenced: bool = True) -> bool:
        """Forget the model. False: it was not registered.

        Raises `Refused` while vmodels name it, unless it need not be `unreferenced`.
        """
        for _ in range(TRIES_MAX):
            # A record that cannot be decoded must not be there for ever.
            there, revision = await self.read(model)
            if there is None:
                return False
            if unreferenced and isinstance(there, ModelRecord) and there.references > 0:
                raise Refused(
                    f"model {model} has referents: vmodels name it ({there.references} in all); "
                    "delete them, or set them to another model"
                )
            if await self.write(model, None, revision=revision):
                return True
        raise self._contended(model)

    async def page(
        self, *, after: str = "", limit: int
    ) -> Sequence[tuple[ModelId, ModelRecord | RecordUnreadable]]:
        """At most `limit` registrations whose names come after `after`, in order of name.

        A record that cannot be read stands there as its error: one bad record does not hide the others.
        """
        entries = await self.scan(after=after, limit=limit)
        return [(ModelId(self.name_of(entry)), self.decoded(entry)) for entry in entries]

    def _contended(self, model: ModelId) -> RegistryUnavailable:
        return RegistryUnavailable(
            f"the registration of {model} was changed by others {TRIES_MAX} times in a row; try again"
        )
