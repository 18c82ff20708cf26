"""What this instance does for the others (`mesh.Peer`): who it is, a copy here, what it knows of a model."""

from adapter.aio.clock import Clock, seconds_at
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import told_elsewhere
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import ModelRecord
from adapter.instance.announcer import Announcer
from adapter.instance.loader import Loader
from adapter.instance.models import Models
from adapter.instance.reasons import Reasons
from adapter.instance.recalling import recalled
from adapter.instance.wayfinder import Wayfinder
from adapter.mesh.explain_facts import Recalled
from adapter.mesh.verdicts import Reject
from adapter.registry.encoding import decode_model


class PeerService:
    """Answers the other instances."""

    def __init__(  # noqa: PLR0913 - what it joins, each by name
        self,
        *,
        instance: InstanceId,
        boot: str,
        models: Models,
        cache: ModelCache,
        loader: Loader,
        ways: Wayfinder,
        reasons: Reasons,
        announcer: Announcer,
        clock: Clock,
    ) -> None:
        self.instance = instance
        self.boot = boot
        self._models = models
        self._cache = cache
        self._loader = loader
        self._ways = ways
        self._reasons = reasons
        self._announcer = announcer
        self._clock = clock

    async def load(
        self, model: ModelId, *, record: bytes, last_used_ms: int, wait: bool, because: str
    ) -> bool:
        """Have a copy loaded here; whether it is loaded already.

        Raises the error of the load, or why it is not to be loaded here.
        """
        told = await self._record(model, record)
        verdict = self._ways.served_here(model, told)
        if isinstance(verdict, Reject):
            raise told_elsewhere(verdict.code, verdict.text)
        used_s = seconds_at(self._clock, last_used_ms)
        self._reasons.note(model, because)
        if wait:
            await self._loader.load(model, told.info, used_s=used_s, pinned=told.rules.pinned)
            return True
        self._loader.start_load(model, told.info, used_s=used_s, pinned=told.rules.pinned)
        self._announcer.tell_now(model)
        return False

    def recall(self, model: ModelId) -> Recalled:
        """What this instance itself knows of the model."""
        return recalled(self._cache, self._reasons, model, self._clock)

    async def _record(self, model: ModelId, record: bytes) -> ModelRecord:
        return decode_model(model, record) if record else await self._models.record(model)
