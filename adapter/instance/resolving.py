"""Finding out where a call goes when that takes time: a record is read, a model loaded."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from adapter.aio.clock import Clock
from adapter.domain.errors import AdapterError, CacheBusy, Code, ModelNotFound, RuntimeUnavailable
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import ModelRecord
from adapter.http2.call import Call
from adapter.http2.verdicts import PeerRefusal, Target
from adapter.instance.aliases import Aliases, Named
from adapter.instance.announcer import is_everywhere
from adapter.instance.holding import Holding
from adapter.instance.loader import Loader
from adapter.instance.models import Models
from adapter.instance.naming import RECORD_KEY, Reading, last_of
from adapter.instance.observers import Observers
from adapter.instance.reasons import Reasons
from adapter.instance.runtime_watch import RuntimeWatch
from adapter.instance.sending import Sending
from adapter.instance.wayfinder import Wayfinder
from adapter.mesh.verdicts import ForwardTo, LoadAt, LoadHere, Reject, Route, ServeHere
from adapter.registry.encoding import decode_model
from adapter.wire.headers import ModelRef, is_balanced
from adapter.wire.splice import Located

log = logging.getLogger(__name__)

TRIES_MAX: Final = 8
"""How often a call is routed (reference: ModelMesh core 4.1)."""

NO_DEADLINE_WAIT_FACTOR: Final = 5.0
"""A caller without a deadline waits so many load timeouts (reference: ModelMesh core 2.7)."""

_NOBODY: Final[Mapping[InstanceId, str]] = {}


def excluded_of(call: Call) -> Mapping[InstanceId, str]:
    """The instances that were tried for this call in vain, each with the reason."""
    excluded = call.excluded
    return _NOBODY if excluded is None else {InstanceId(id_): why for id_, why in excluded.items()}


def exclude(call: Call, instance: InstanceId, reason: str) -> None:
    """This instance is not to be tried again for this call."""
    if call.excluded is None:
        call.excluded = {}
    call.excluded[instance] = reason


class Resolving:
    """The slow half of the request path."""

    def __init__(  # noqa: PLR0913 - what it joins, each by name
        self,
        *,
        models: Models,
        aliases: Aliases,
        loader: Loader,
        ways: Wayfinder,
        sending: Sending,
        reasons: Reasons,
        observers: Observers,
        watch: RuntimeWatch,
        clock: Clock,
        told: Callable[[ModelId], Awaitable[None]],
        holding: Holding,
    ) -> None:
        """`told` waits until the registry has what this instance tells: others are to know who ended it."""
        self._models = models
        self._aliases = aliases
        self._loader = loader
        self._ways = ways
        self._sending = sending
        self._reasons = reasons
        self._observers = observers
        self._watch = watch
        self._clock = clock
        self._told = told
        self._holding = holding

    async def resolve(self, call: Call, reading: Reading, ref: ModelRef, found: Located | None) -> Target:
        """Where the call goes, however long it takes to find out.

        Raises the error of the load, why there is nowhere to load it, or `PeerRefusal` of a forwarded call.
        """
        wait_s_max = call.time_left_s()
        if wait_s_max is None:
            wait_s_max = self._watch.status.loading_timeout_s * NO_DEADLINE_WAIT_FACTOR + self._holding.hold_s
        async with asyncio.timeout(wait_s_max):
            if reading.forwarded:
                call.inner = True
                return await self._forwarded(call, reading, (ModelId(ref.name), ""), found)
            return await self._own(call, reading, ref, found)

    async def _own(self, call: Call, reading: Reading, ref: ModelRef, found: Located | None) -> Target:
        """Of a call that a client made here."""
        problem: AdapterError | None = None
        held_until_s = self._clock.now_s() + self._holding.hold_s
        named = await self._aliases.resolve(ref)
        for _ in range(TRIES_MAX):
            named, record = await self._registered(ref, named)
            verdict = self._ways.route(
                named[0], record, excluded=excluded_of(call), balanced=is_balanced(call.head.ids)
            )
            if isinstance(verdict, Reject):
                if verdict.code is Code.UNAVAILABLE and not self._watch.is_there:
                    # Nobody else can: it is to come back, and then so may those of the others.
                    await self._watch.there()
                    call.excluded = None
                    continue
                if await self._holding.until_served(record.info.type, ends_s=held_until_s):
                    # Whoever was tried has gone, and one of the same name may have come.
                    call.excluded = None
                    continue
                raise problem or self._ways.error_of(named[0], verdict)
            try:
                target = await self._carried_out(call, reading, named, found, record, verdict)
            except RuntimeUnavailable as error:
                log.info("load is tried again", extra={"model": named[0], "error": error.described})
                problem = error
                await self._told(named[0])
            except AdapterError as error:
                if is_everywhere(error) or isinstance(error, ModelNotFound):
                    raise
                problem = error
                exclude(call, self._ways.state.here, error.described)
            else:
                if target is not None:
                    return target
        raise problem or _gone(named[0])

    async def _registered(self, ref: ModelRef, named: Named) -> tuple[Named, ModelRecord]:
        """The registration; an alias at hand may name a model that is gone. Raises `ModelNotFound`."""
        try:
            return named, await self._models.record(named[0])
        except ModelNotFound:
            again = await self._aliases.again(ref)
            if again is None or again[0] == named[0]:
                raise
        return again, await self._models.record(again[0])

    async def _forwarded(self, call: Call, reading: Reading, named: Named, found: Located | None) -> Target:
        """Of a call that another instance sent here: it is answered here, or refused."""
        model, problem = named[0], _gone(named[0])
        for _ in range(TRIES_MAX):
            record, verdict = await self._asked_by_another(call, model)
            if isinstance(verdict, Reject):
                raise PeerRefusal("refused", self._ways.error_of(model, verdict))
            try:
                target = await self._carried_out(call, reading, named, found, record, verdict)
            except RuntimeUnavailable as error:
                problem = error
                await self._told(model)
            except AdapterError as error:
                if is_everywhere(error):
                    raise
                raise PeerRefusal("failed", error) from error
            else:
                if target is not None:
                    return target
        raise PeerRefusal("failed", problem)

    async def _asked_by_another(self, call: Call, model: ModelId) -> tuple[ModelRecord, Route]:
        """The registration, and whether the call is answered here. Raises `PeerRefusal` if it cannot be."""
        told = last_of(call.head.ids, RECORD_KEY)
        if told is not None:
            record = decode_model(model, told)
            return record, self._ways.served_here(model, record)
        if self._ways.held_here(model) is None:
            raise PeerRefusal("unknown", CacheBusy(f"{model} is not here any more"))
        record = await self._models.record(model)
        if not self._watch.is_there:
            verdict = self._ways.route(model, record, excluded=_NOBODY)
            if isinstance(verdict, ForwardTo | LoadAt):  # else our runtime's return is awaited
                here = self._ways.state.here
                raise PeerRefusal("restarts", RuntimeUnavailable(f"the runtime of {here} restarts"))
        return record, ServeHere("another instance sent the call here")

    async def _carried_out(
        self,
        call: Call,
        reading: Reading,
        named: Named,
        found: Located | None,
        record: ModelRecord,
        verdict: Route,
    ) -> Target | None:
        """Do what was decided; None: decide again. Raises the error of the load."""
        match verdict:
            case ForwardTo(instance=instance):
                return self._sending.there(call, instance, named)
            case LoadAt(instance=instance):
                return self._sending.there(call, instance, named, to_load=record)
            case LoadHere():
                self._reasons.note(named[0], f"a request came for it; {verdict.because}")
            case _:
                pass
        timings = await self._load(named[0], record)
        if timings is None:
            return None
        target = self._sending.here(call, reading, named, found)
        target.timings_ms = timings or None
        return target

    async def _load(self, model: ModelId, record: ModelRecord) -> Mapping[str, float] | None:
        """Have the model loaded here and pin it; where the time went, in milliseconds by step.

        None: it went again before it could be pinned. There is nothing to be awaited after the model is
        pinned: a caller who cancels leaves no pin behind.
        """
        await self._watch.there()
        slots = self._sending.slots
        while slots.is_full(model):
            asked_s = self._clock.now_s()
            await slots.turn(model)
            self._observers.slot_waited(model, self._clock.now_s() - asked_s)
        if self._sending.pin(model):
            return {}
        began_s = self._clock.now_s()
        spent = await self._loader.load(model, record.info, used_s=began_s, pinned=record.rules.pinned)
        if not self._sending.pin(model):
            return None
        waited_s = self._clock.now_s() - began_s
        self._observers.missed(model, waited_s)
        return spent.as_ms(waited_s)


def _gone(model: ModelId) -> AdapterError:
    return CacheBusy(f"{model} was evicted before it could be used; try again later")
