"""Which model a name stands for: an alias of the registry, a share of its calls, or the model of that name.

(reference: ModelMesh core 1.4, inference on a vmodel; 2.2 to 2.5, an alias first, then a model.)
"""

from itertools import count

from adapter.domain.errors import ModelNotFound, RegistryUnavailable
from adapter.domain.ids import ModelId
from adapter.domain.records import VModelRecord
from adapter.mesh.vmodels import chosen
from adapter.registry.cached_records import UNKNOWN
from adapter.registry.vmodel_records import VModelRecords
from adapter.wire.headers import ModelRef, RefKind

Named = tuple[ModelId, str]
"""The model, and the alias that was named; empty: none was."""


class Aliases:
    """Looks names up."""

    def __init__(self, records: VModelRecords) -> None:
        self._records = records
        self._turns = count()

    def at_hand(self, ref: ModelRef) -> Named | None:
        """What the name stands for, if that is known without asking; also None if there is no such alias."""
        if ref.kind is RefKind.MODEL:
            return ModelId(ref.name), ""
        record = self._records.cached(ref.name)
        if record is UNKNOWN:
            return None
        if record is None:
            return None if ref.kind is RefKind.VMODEL else (ModelId(ref.name), "")
        assert isinstance(record, VModelRecord)
        return self._share(record), ref.name

    async def resolve(self, ref: ModelRef) -> Named:
        """What the name stands for. Raises `ModelNotFound` for an alias that is not there."""
        at_hand = self.at_hand(ref)
        if at_hand is not None:
            return at_hand
        try:
            record = await self._records.get(ref.name, fresh=ref.kind is RefKind.VMODEL)
        except RegistryUnavailable:
            if ref.kind is RefKind.VMODEL:
                raise
            # Whether there is such an alias cannot be found out now; a model of that name may be loaded.
            record = None
        if record is not None:
            return self._share(record), ref.name
        if ref.kind is RefKind.VMODEL:
            raise ModelNotFound(f"vmodel not found: {ref.name}")
        return ModelId(ref.name), ""

    def shadow_of(self, vmodel: str) -> str:
        """The model that gets a copy of the alias's calls; empty: there is none, or it is not at hand."""
        record = self._records.cached(vmodel)
        return record.shadow if isinstance(record, VModelRecord) else ""

    async def again(self, ref: ModelRef) -> Named | None:
        """What the alias stands for in the registry now: what was at hand names no model that is there.

        None: there is no such alias, or it names no other model.
        """
        if ref.kind is RefKind.MODEL:
            return None
        record = await self._records.get(ref.name, fresh=True)
        return None if record is None else (self._share(record), ref.name)

    def _share(self, record: VModelRecord) -> ModelId:
        return chosen(record, next(self._turns))
