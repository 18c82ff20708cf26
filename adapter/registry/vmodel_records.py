"""Aliases, over any registry; and aliases with the models that they name, changed in one transaction."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from adapter.domain.errors import RecordUnreadable, RegistryUnavailable
from adapter.domain.ids import ModelId
from adapter.domain.records import VModelRecord
from adapter.mesh.vmodels import Held, Writes, models_of
from adapter.registry.cached_records import TRIES_MAX, CachedRecords, OrUnknown, Write, commit
from adapter.registry.encoding import decode_vmodel, encode_vmodel
from adapter.registry.model_records import ModelRecords
from adapter.registry.registry import Registry

CACHED_MAX: Final = 100_000
"""Names that are kept for the request path, no aliases too: at least the 50,000 that were asked for last."""


class VModelRecords(CachedRecords[VModelRecord]):
    """The aliases.

    Every call but `cached` may raise `RegistryUnavailable`; `get` also raises `RecordUnreadable`.
    """

    def __init__(
        self, registry: Registry, prefix: str, *, cached_max: int = CACHED_MAX, read_only: bool = False
    ) -> None:
        super().__init__(
            registry,
            prefix,
            table="vmodels/",
            decode=decode_vmodel,
            encode=encode_vmodel,
            cached_max=cached_max,
            keep_absent=True,
            read_only=read_only,
        )

    def cached(self, name: str) -> VModelRecord | OrUnknown | None:
        """The record, if it is at hand; None: there is no such alias; `UNKNOWN`: `get` has to be asked."""
        return self.peek(name)

    async def page(
        self, *, after: str = "", limit: int
    ) -> Sequence[tuple[str, VModelRecord | RecordUnreadable]]:
        """At most `limit` aliases whose names come after `after`, in order of name."""
        entries = await self.scan(after=after, limit=limit)
        return [(self.name_of(entry), self.decoded(entry)) for entry in entries]


class VModelLedger:
    """Changes an alias and the references of the models that it names, all or nothing."""

    def __init__(self, models: ModelRecords, vmodels: VModelRecords) -> None:
        self._models = models
        self._vmodels = vmodels
        self._turn = asyncio.Lock()
        """Of those who lost to another: many aliases may name one model, and each changes its count."""

    async def change(
        self, vmodel: str, decide: Callable[[Held], Writes | None], *, also: Iterable[ModelId] = ()
    ) -> Writes | None:
        """Carry out what `decide` makes of the records as they are now; None: it wanted nothing.

        It is shown the alias, the models that this names, and those in `also`; and is called again when
        somebody else wrote one of them meanwhile. What it raises is passed on.
        """
        done, writes = await self._try(vmodel, decide, also)
        if done:
            return writes
        async with self._turn:
            for _ in range(TRIES_MAX - 1):
                done, writes = await self._try(vmodel, decide, also)
                if done:
                    return writes
        raise RegistryUnavailable(
            f"vmodel {vmodel} or a model it names was changed by others {TRIES_MAX} times in a row; try again"
        )

    async def _try(
        self, vmodel: str, decide: Callable[[Held], Writes | None], also: Iterable[ModelId]
    ) -> tuple[bool, Writes | None]:
        """Whether it is as decided now, and what that was."""
        held, guards = await self._read(vmodel, also)
        writes = decide(held)
        if writes is None or (writes.vmodel == held.vmodel and not writes.models):
            return True, writes
        return await self._commit(vmodel, held, writes, guards) is not None, writes

    async def _read(self, vmodel: str, also: Iterable[ModelId]) -> tuple[Held, dict[str, int]]:
        alias = await self._vmodels.read(vmodel)
        names = sorted({*models_of(alias.record), *also})
        read = await asyncio.gather(*(self._models.read(name) for name in names))
        guards = {self._models.key(name): each.revision for name, each in zip(names, read, strict=True)}
        guards[self._vmodels.key(vmodel)] = alias.revision
        models = {name: each.record for name, each in zip(names, read, strict=True)}
        return Held(vmodel=alias.record, models=models), guards

    async def _commit(self, vmodel: str, held: Held, writes: Writes, guards: dict[str, int]) -> int | None:
        changed = [Write(self._models, name, record) for name, record in writes.models.items()]
        if writes.vmodel != held.vmodel:
            changed.append(Write(self._vmodels, vmodel, writes.vmodel))
        return await commit(changed, guards=guards)
