"""One more copy of a model, here or at another instance.

Whoever wants one asks here: a caller of the management API, the rules of scaling, an instance that drains,
the leader that fills free space.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from adapter.aio.clock import Clock, seconds_at
from adapter.domain.errors import AdapterError, Code, told_elsewhere
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyState, ModelRecord
from adapter.instance.announcer import is_everywhere
from adapter.instance.loader import Loader
from adapter.instance.peer_links import PeerLinks
from adapter.instance.reasons import Reasons
from adapter.instance.wayfinder import Wayfinder
from adapter.mesh.verdicts import Placed
from adapter.registry.encoding import encode_model

log = logging.getLogger(__name__)

TRIES_MAX: Final = 8
"""Instances that are tried for one copy (reference: ModelMesh core 4.1)."""
SEEN_LOOK_S: Final = 0.005
SEEN_LOOKS_MAX: Final = 100
"""So often the table is looked at for a copy that another instance says it has."""
ASKING_S_MAX: Final = 5.0
"""How long another instance may take to say that it has queued a load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A copy that there will be, or is."""

    instance: InstanceId
    loaded: bool
    """Else it is being loaded."""


class Copies:
    """Adds copies."""

    def __init__(  # noqa: PLR0913 - what it joins, each by name
        self,
        *,
        here: InstanceId,
        ways: Wayfinder,
        loader: Loader,
        links: PeerLinks,
        reasons: Reasons,
        clock: Clock,
        told: Callable[[ModelId], Awaitable[None]],
        tell_now: Callable[[ModelId], None],
    ) -> None:
        """`tell_now` has the registry told of a load at once; `told` waits until it has heard."""
        self._here = here
        self._ways = ways
        self._loader = loader
        self._links = links
        self._reasons = reasons
        self._clock = clock
        self._told = told
        self._tell_now = tell_now

    async def add(
        self,
        model: ModelId,
        record: ModelRecord,
        *,
        because: str,
        wait_s: float = 0.0,
        used_ms: int = 0,
        excluded: Mapping[InstanceId, str] | None = None,
    ) -> Added:
        """Have a copy loaded where there is none yet, the best place first.

        Without `wait_s` it answers as soon as the load is queued. Raises the error of the last load that
        failed, or of the verdict that there is nowhere to load it.
        """
        tried = dict(excluded or {})
        problem: AdapterError | None = None
        for _ in range(TRIES_MAX):
            verdict = self._ways.place(model, record, excluded=tried, used_ms=used_ms)
            if not isinstance(verdict, Placed):
                raise problem or told_elsewhere(verdict.code, verdict.because)
            log.info("a copy is added", extra={"model": model, "at": verdict.instance, "because": because})
            try:
                if verdict.instance == self._here:
                    self._reasons.note(model, f"{because}; {verdict.because}")
                    return await self._here_too(model, record, wait_s=wait_s, used_ms=used_ms)
                told = f"{because}; {verdict.because}"
                return await self._there(
                    verdict.instance, model, record, because=told, wait_s=wait_s, used_ms=used_ms
                )
            except AdapterError as error:
                log.info(
                    "the copy could not be added there",
                    extra={"model": model, "at": verdict.instance, "error": error.described},
                )
                if is_everywhere(error) or error.code is Code.FAILED_PRECONDITION:
                    raise  # an instance that was asked does not tell which of these errors it was
                tried[verdict.instance] = error.described
                problem = error
                await self._told(model)  # whom the model ended is known before it is tried elsewhere
        assert problem is not None
        raise problem

    async def awaited(self, model: ModelId, record: ModelRecord, *, wait_s: float) -> None:
        """Wait for a load that is under way somewhere. Raises the error of the load."""
        for id_, copy in self._ways.copies(model).items():
            if copy.state is not CopyState.LOADING:
                continue
            if id_ == self._here:
                await self._loader.load(model, record.info, used_s=self._clock.now_s())
            else:
                because = "somebody waits for it"
                await self._there(id_, model, record, because=because, wait_s=wait_s, used_ms=0)
            return

    def loaded(self, model: ModelId) -> int:
        """How many instances hold the model, loading ones and draining ones left out."""
        instances = self._ways.instances()
        return sum(
            copy.state is CopyState.LOADED and id_ in instances and not instances[id_].record.draining
            for id_, copy in self._ways.copies(model).items()
        )

    def there_or_coming(self, model: ModelId) -> int:
        """How many hold or load the model."""
        instances = self._ways.instances()
        return sum(
            copy.state is not CopyState.FAILED and id_ in instances and not instances[id_].record.draining
            for id_, copy in self._ways.copies(model).items()
        )

    async def _here_too(self, model: ModelId, record: ModelRecord, *, wait_s: float, used_ms: int) -> Added:
        used_s = seconds_at(self._clock, used_ms)
        if wait_s:
            await self._loader.load(model, record.info, used_s=used_s, pinned=record.rules.pinned)
            await self._told(model)  # whoever is told that it is loaded may ask another instance about it
            return Added(instance=self._here, loaded=True)
        self._loader.start_load(model, record.info, used_s=used_s, pinned=record.rules.pinned)
        self._tell_now(model)
        await self._told(model)
        return Added(instance=self._here, loaded=False)

    async def _there(
        self,
        instance: InstanceId,
        model: ModelId,
        record: ModelRecord,
        *,
        because: str,
        wait_s: float,
        used_ms: int,
    ) -> Added:
        loaded = await self._links.channels.load(
            instance,
            model,
            record=encode_model(record),
            last_used_ms=used_ms,
            wait=bool(wait_s),
            because=because,
            timeout_s=wait_s or ASKING_S_MAX,
        )
        if loaded:
            await self._seen(instance, model)
        return Added(instance=instance, loaded=loaded)

    async def _seen(self, instance: InstanceId, model: ModelId) -> None:
        """Wait a moment until the table of copies says what the other instance has said."""
        for _ in range(SEEN_LOOKS_MAX):
            copy = self._ways.copies(model).get(instance)
            if copy is not None and copy.state is CopyState.LOADED:
                return
            await self._clock.sleep(SEEN_LOOK_S)
