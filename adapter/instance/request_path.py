"""What becomes of an inference call: whose it is, which instance answers it, and what is sent there.

The relay asks (`http2.verdicts.Router`); nothing here parses a tensor. A call whose model is loaded, here or
somewhere else, is routed without waiting; any other is resolved by a task of its own.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from adapter.aio.clock import Clock
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import (
    AdapterError,
    CacheBusy,
    Code,
    MethodNotPermitted,
    ModelNotFound,
    RuntimeUnavailable,
)
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import ModelRecord
from adapter.domain.runtime import RuntimeStatus
from adapter.http2.call import Call
from adapter.http2.request_head import RequestHead
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Answer, Caller, PeerRefusal, Plan, Target
from adapter.instance.aliases import Aliases
from adapter.instance.announcer import is_everywhere
from adapter.instance.doors import Doors
from adapter.instance.loader import Loader
from adapter.instance.models import Models
from adapter.instance.naming import RECORD_KEY, REMEMBERED_CHARS_MAX, REMEMBERED_MAX, Naming, Reading, last_of
from adapter.instance.observers import Observers
from adapter.instance.reasons import Reasons
from adapter.instance.runtime_watch import RuntimeWatch
from adapter.instance.several import Several
from adapter.instance.shadows import Shadows
from adapter.instance.targets import Targets
from adapter.instance.wayfinder import Wayfinder
from adapter.mesh.rates import Rates
from adapter.mesh.verdicts import ForwardTo, LoadAt, LoadHere, Reject, Route, ServeHere
from adapter.registry.encoding import decode_model
from adapter.servers import model_runtime
from adapter.wire.dataplane import DataplaneConfig
from adapter.wire.headers import ModelRef, is_balanced
from adapter.wire.splice import Located

log = logging.getLogger(__name__)

TRIES_MAX: Final = 8
"""How often a call is routed (reference: ModelMesh core 4.1)."""

NO_DEADLINE_WAIT_FACTOR: Final = 5.0
"""A caller without a deadline waits so many load timeouts (reference: ModelMesh core 2.7)."""

InFlight = Mapping[ModelId, int]
"""How many calls each model answers here now; those with none are not in it."""

_NOBODY: Final[Mapping[InstanceId, str]] = {}


class RequestPath:
    """The `Router` of one instance."""

    def __init__(  # noqa: PLR0913 - what it joins, each by name
        self,
        *,
        models: Models,
        aliases: Aliases,
        cache: ModelCache,
        loader: Loader,
        ways: Wayfinder,
        rates: Rates,
        reasons: Reasons,
        targets: Targets,
        clock: Clock,
        dataplane: DataplaneConfig,
        watch: RuntimeWatch,
        doors: Doors,
        observers: Observers,
        several: Several,
        shadows: Shadows,
    ) -> None:
        self._models = models
        self._aliases = aliases
        self._cache = cache
        self._loader = loader
        self._ways = ways
        self._view = ways.state.view
        self._rates = rates
        self._reasons = reasons
        self._targets = targets
        self._clock = clock
        self._dataplane = dataplane
        self._watch = watch
        self._doors = doors
        self._observers = observers
        self._several = several
        self.shadows = shadows
        self._naming = Naming()
        self._in_flight: dict[ModelId, int] = {}
        self._plans: dict[str, Plan] = {}
        self._forwarded_plans: dict[str, Plan] = {}
        self._plans_for: RuntimeStatus | None = None

    @property
    def in_flight(self) -> InFlight:
        """The calls that are answered here now."""
        return self._in_flight

    def join(self, runtime: Upstream) -> None:
        """Where the runtime answers inference."""
        self._targets.runtime = runtime

    def use(self, dataplane: DataplaneConfig) -> None:
        """From now on the data plane is configured so; calls that have begun are not touched."""
        self._dataplane = dataplane
        self._forget_plans()

    # The router.

    def plan(self, head: RequestHead, caller: Caller) -> Plan:
        """How this call is treated. Raises `MethodNotPermitted`, or `CallerNotAllowed`."""
        if self._plans_for is not self._watch.status:
            self._forget_plans()
            self._plans_for = self._watch.status
        plans = self._forwarded_plans if caller.from_peer else self._plans
        plan = plans.get(head.rpc)
        if plan is None:
            plan = self._plan_of(head.rpc, forwarded=caller.from_peer)
            if len(plans) >= REMEMBERED_MAX:
                plans.clear()
            if len(head.rpc) <= REMEMBERED_CHARS_MAX:
                plans[head.rpc] = plan
        if plan.door is not None:
            self._doors.check(head.rpc, caller)
        elif (
            len(head.ids) > 1
            and not plan.message_first
            and not caller.from_peer
            and len(self._naming.in_headers(head.ids)) > 1
        ):
            # Each of several models is sent the message.
            return replace(plan, message_first=True)
        return plan

    def route(self, call: Call) -> Target | None:
        """Where the call goes, if its model is loaded somewhere. Raises `InvalidRequest`."""
        reading = call.plan.reading
        assert isinstance(reading, Reading)
        refs, found = self._naming.named(call, reading)
        if len(refs) != 1 or call.excluded:
            return None
        named = self._aliases.at_hand(refs[0])
        if named is None:
            return None
        model, vmodel = named
        copies = self._view.copies(model)
        is_there = self._watch.is_there
        if is_there and (len(copies) <= 1 or reading.forwarded):
            if self._cache.acquire(model, self._clock.now_s()):
                return self._here(call, reading, model, vmodel, found)
            if not copies:
                return None
        if reading.forwarded or not copies:
            return None
        record = self._models.at_hand(model)
        balanced = bool(call.head.ids) and is_balanced(call.head.ids)
        verdict = self._ways.route(model, record, excluded=self._excluded(call), balanced=balanced)
        if is_there and isinstance(verdict, ServeHere) and self._cache.acquire(model, self._clock.now_s()):
            return self._here(call, reading, model, vmodel, found)
        if isinstance(verdict, ForwardTo):
            return self._there(call, verdict.instance, model, vmodel)
        return None

    async def resolve(self, call: Call) -> Target | Answer:
        """Have the model loaded, however long it takes. Raises the error of the load."""
        reading = call.plan.reading
        assert isinstance(reading, Reading)
        refs, found = self._naming.named(call, reading)
        if len(refs) > 1:
            return await self._several.answer(call, refs)
        if reading.forwarded:
            call.inner = True
        wait_s_max = call.time_left_s()
        if wait_s_max is None:
            wait_s_max = self._watch.status.loading_timeout_s * NO_DEADLINE_WAIT_FACTOR
        async with asyncio.timeout(wait_s_max):
            return await self._resolve(call, reading, refs[0], found)

    def released(self, target: Target) -> None:
        """The model of this try may be unloaded, as far as this call is concerned."""
        if target.to_peer:
            self._ways.links.released(target)
        elif target.model:
            model = ModelId(target.model)
            left = self._in_flight[model] - 1
            if left:
                self._in_flight[model] = left
            else:
                del self._in_flight[model]
            self._loader.carry_out(self._cache.release(model, self._clock.now_s()))

    def copy_lost(self, target: Target) -> None:
        """The runtime says that it does not hold the model of this try."""
        self._loader.copy_lost(ModelId(target.model))

    def peer_refused(self, call: Call, target: Target, word: str, text: str) -> None:
        """Another instance will not answer this call."""
        log.debug("a forwarded call was refused", extra={"model": target.model, "word": word, "text": text})
        self._exclude(call, target, text or word)

    def peer_lost(self, call: Call, target: Target, reason: str) -> None:
        """The connection to the other instance broke."""
        self._exclude(call, target, reason)

    def answered(self, call: Call, code: Code) -> None:
        """The call has ended."""
        if call.plan.door is None:
            self._observers.ended(call, code)
            target = call.last_target
            if target is not None and target.vmodel and code is Code.OK:
                shadow = self._aliases.shadow_of(target.vmodel)
                if shadow:
                    self.shadows.cast(call, shadow)

    # What it takes.

    def _plan_of(self, rpc: str, *, forwarded: bool) -> Plan:
        door = self._doors.door_of(rpc)
        if door is not None:
            return Plan(door=door)
        runtime = self._watch.status
        offered = runtime.any_method or not runtime.methods or rpc in runtime.methods
        if not offered or not self._dataplane.permits(rpc) or rpc.startswith(f"{model_runtime.SERVICE}/"):
            raise MethodNotPermitted(f"Method not found or not permitted: {rpc}")
        injection = tuple(runtime.methods.get(rpc, ()))
        extraction = self._dataplane.extraction(rpc)
        if extraction is None:
            reading = Reading(injection_path=injection, forwarded=forwarded)
            return Plan(message_first=bool(injection), reading=reading)
        reading = Reading(
            id_path=extraction.path,
            id_kind=extraction.kind,
            headers_first=extraction.headers_first,
            injection_path=injection,
            forwarded=forwarded,
        )
        return Plan(message_first=True, reading=reading)

    def _forget_plans(self) -> None:
        self._plans.clear()
        self._forwarded_plans.clear()

    async def _resolve(self, call: Call, reading: Reading, ref: ModelRef, found: Located | None) -> Target:
        problem: AdapterError | None = None
        model, vmodel = await self._aliases.resolve(ref)
        for _ in range(TRIES_MAX):
            try:
                record, verdict = await self._verdict(call, reading, model)
            except ModelNotFound:
                again = await self._aliases.again(ref)
                if again is None or again[0] == model:
                    raise
                model, vmodel = again
                continue
            match verdict:
                case ServeHere() | LoadHere():
                    if isinstance(verdict, LoadHere):
                        self._reasons.note(model, f"a request came for it; {verdict.because}")
                    try:
                        timings = await self._load(model, record)
                    except RuntimeUnavailable as error:
                        log.info("load is tried again", extra={"model": model, "error": error.described})
                        problem = error
                        continue
                    except ModelNotFound:
                        raise
                    except AdapterError as error:
                        if reading.forwarded:
                            raise PeerRefusal("failed", error) from error
                        if is_everywhere(error):
                            raise
                        problem = error
                        self._exclude_instance(call, self._ways.state.here, error.described)
                        continue
                    if timings is not None:
                        target = self._here(call, reading, model, vmodel, found)
                        target.timings_ms = timings or None
                        return target
                    problem = CacheBusy(f"{model} was evicted before it could be used; try again later")
                case ForwardTo(instance=instance):
                    there = self._there(call, instance, model, vmodel)
                    if there is not None:
                        return there
                case LoadAt(instance=instance):
                    there = self._there(call, instance, model, vmodel, to_load=record)
                    if there is not None:
                        return there
                case Reject():
                    problem = problem or self._ways.error_of(model, verdict)
                    if reading.forwarded:
                        raise PeerRefusal("refused", problem)
                    raise problem
        raise problem or CacheBusy(f"no instance could answer for {model}; try again later")

    async def _verdict(self, call: Call, reading: Reading, model: ModelId) -> tuple[ModelRecord, Route]:
        if not reading.forwarded:
            record = await self._models.record(model)
            balanced = is_balanced(call.head.ids)
            return record, self._ways.route(model, record, excluded=self._excluded(call), balanced=balanced)
        told = last_of(call.head.ids, RECORD_KEY)
        if told is not None:
            record = decode_model(model, told)
            return record, self._ways.served_here(model, record)
        if self._ways.held_here(model) is None:
            raise PeerRefusal("unknown", CacheBusy(f"{model} is not here any more"))
        return await self._models.record(model), ServeHere("another instance sent the call here")

    async def _load(self, model: ModelId, record: ModelRecord) -> Mapping[str, float] | None:
        """Have the model loaded here and pin it; where the time went, in milliseconds by step.

        None: it went again before it could be pinned. There is nothing to be awaited after the model is
        pinned: a caller who cancels leaves no pin behind.
        """
        await self._watch.there()
        if self._cache.acquire(model, self._clock.now_s()):
            return {}
        began_s = self._clock.now_s()
        spent = await self._loader.load(model, record.info, used_s=began_s)
        if not self._cache.acquire(model, self._clock.now_s()):
            return None
        waited_s = self._clock.now_s() - began_s
        self._observers.missed(model, waited_s)
        return spent.as_ms(waited_s)

    def _here(
        self, call: Call, reading: Reading, model: ModelId, vmodel: str, found: Located | None
    ) -> Target:
        """What the runtime is sent; the model is pinned already."""
        try:
            target = self._targets.here(call, reading, model, vmodel, found)
        except AdapterError:
            self._loader.carry_out(self._cache.release(model, self._clock.now_s()))
            raise
        if reading.forwarded:
            call.inner = True
        elif vmodel and self._aliases.shadow_of(vmodel):
            call.spy()
        self._rates.count(model)
        self._in_flight[model] = self._in_flight.get(model, 0) + 1
        self._observers.begins(call, target)
        return target

    def _there(
        self,
        call: Call,
        instance: InstanceId,
        model: ModelId,
        vmodel: str,
        *,
        to_load: ModelRecord | None = None,
    ) -> Target | None:
        """What another instance is sent; None: it has just left."""
        if vmodel and self._aliases.shadow_of(vmodel):
            call.spy()
        return self._targets.there(instance, model, vmodel, to_load=to_load)

    def _excluded(self, call: Call) -> Mapping[InstanceId, str]:
        excluded = call.excluded
        return _NOBODY if excluded is None else {InstanceId(id_): why for id_, why in excluded.items()}

    def _exclude(self, call: Call, target: Target, reason: str) -> None:
        instance = self._ways.links.instance_of(target.upstream)
        if instance is not None:
            self._exclude_instance(call, instance, reason)

    @staticmethod
    def _exclude_instance(call: Call, instance: InstanceId, reason: str) -> None:
        if call.excluded is None:
            call.excluded = {}
        call.excluded[instance] = reason
