"""What becomes of an inference call: whose it is, whether its model is here, and what the runtime is sent.

The relay asks (`http2.verdicts.Router`); nothing here parses a tensor. A call whose model is loaded is routed
without waiting; any other is resolved by a task of its own.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from adapter.aio.clock import Clock
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import (
    AdapterError,
    CacheBusy,
    Code,
    InvalidRequest,
    MethodNotPermitted,
    RuntimeUnavailable,
)
from adapter.domain.ids import ModelId
from adapter.domain.runtime import RuntimeStatus
from adapter.http2.call import Call
from adapter.http2.metadata import metadata_fields
from adapter.http2.request_head import RequestHead
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Answer, Caller, Edit, Plan, Target
from adapter.instance.doors import Doors
from adapter.instance.loader import Loader
from adapter.instance.models import Models
from adapter.instance.observers import Observers
from adapter.instance.runtime_watch import RuntimeWatch
from adapter.instance.several import Several
from adapter.servers import model_runtime
from adapter.wire.dataplane import DataplaneConfig
from adapter.wire.headers import ModelRef, Pair, RefKind, model_metadata, model_refs
from adapter.wire.splice import Located, delimited, replace_string

log = logging.getLogger(__name__)

TRIES_MAX: Final = 3
"""How often a call has its model loaded, when the runtime goes away or the model is evicted unused."""

NO_DEADLINE_WAIT_FACTOR: Final = 5.0
"""A caller without a deadline waits so many load timeouts (reference: ModelMesh core 2.7)."""

REMEMBERED_MAX: Final = 10_000
"""Methods, ids and models of which something is remembered: clients choose their names."""
REMEMBERED_CHARS_MAX: Final = 512
"""How long such a name may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How one method's calls are read and written."""

    id_path: tuple[int, ...] = ()
    """Where the message names the model."""
    id_kind: RefKind = RefKind.MODEL
    headers_first: bool = False
    injection_path: tuple[int, ...] = ()
    """Where the runtime wants the model's name."""


class RequestPath:
    """The `Router` of one instance."""

    def __init__(  # noqa: PLR0913 - what it joins, each by name
        self,
        *,
        models: Models,
        cache: ModelCache,
        loader: Loader,
        clock: Clock,
        dataplane: DataplaneConfig,
        watch: RuntimeWatch,
        runtime_name: Callable[[ModelId], str],
        doors: Doors,
        observers: Observers,
        several: Several,
    ) -> None:
        self._models = models
        self._cache = cache
        self._loader = loader
        self._clock = clock
        self._dataplane = dataplane
        self._watch = watch
        self._runtime_name = runtime_name
        self._doors = doors
        self._observers = observers
        self._several = several
        self._runtime: Upstream | None = None
        self._plans: dict[str, Plan] = {}
        self._plans_for: RuntimeStatus | None = None
        self._refs: dict[tuple[Pair, ...], tuple[ModelRef, ...]] = {}
        self._targets: dict[ModelId, tuple[bytes, str]] = {}

    def join(self, runtime: Upstream) -> None:
        """Where the runtime answers inference."""
        self._runtime = runtime

    def use(self, dataplane: DataplaneConfig) -> None:
        """From now on the data plane is configured so; calls that have begun are not touched."""
        self._dataplane = dataplane
        self._plans.clear()

    # The router.

    def plan(self, head: RequestHead, caller: Caller) -> Plan:
        """How this call is treated. Raises `MethodNotPermitted`, or `CallerNotAllowed`."""
        if self._plans_for is not self._watch.status:
            self._plans.clear()
            self._plans_for = self._watch.status
        plan = self._plans.get(head.rpc)
        if plan is None:
            plan = self._plan_of(head.rpc)
            if len(self._plans) >= REMEMBERED_MAX:
                self._plans.clear()
            if len(head.rpc) <= REMEMBERED_CHARS_MAX:
                self._plans[head.rpc] = plan
        if plan.door is not None:
            self._doors.check(head.rpc, caller)
        elif len(head.ids) > 1 and not plan.message_first and len(self._in_headers(head.ids)) > 1:
            # Each of several models is sent the message.
            return replace(plan, message_first=True)
        return plan

    def route(self, call: Call) -> Target | None:
        """The runtime, if the call is for one model and that is loaded. Raises `InvalidRequest`."""
        reading = call.plan.reading
        assert isinstance(reading, Reading)
        refs, found = self._named(call, reading)
        if len(refs) != 1 or not self._watch.is_there:
            return None
        # Aliases come with the mesh; until then an alias means the model of the same name.
        model = ModelId(refs[0].name)
        if not self._cache.acquire(model, self._clock.now_s()):
            return None
        return self._target(call, reading, refs[0], found)

    async def resolve(self, call: Call) -> Target | Answer:
        """Have the model loaded, however long it takes. Raises the error of the load."""
        reading = call.plan.reading
        assert isinstance(reading, Reading)
        refs, found = self._named(call, reading)
        if len(refs) > 1:
            return await self._several.answer(call, refs)
        model = ModelId(refs[0].name)
        if not self._watch.is_there:
            await self._watch.there()
        timings = None
        if not self._cache.acquire(model, self._clock.now_s()):
            timings = await self._load(model, call)
        target = self._target(call, reading, refs[0], found)
        target.timings_ms = timings
        return target

    def released(self, target: Target) -> None:
        """The model of this try may be unloaded, as far as this call is concerned."""
        if target.model:
            model = ModelId(target.model)
            self._loader.carry_out(self._cache.release(model, self._clock.now_s()))

    def copy_lost(self, target: Target) -> None:
        """The runtime says that it does not hold the model of this try."""
        self._loader.copy_lost(ModelId(target.model))

    def answered(self, call: Call, code: Code) -> None:
        """The call has ended."""
        if call.plan.door is None:
            self._observers.ended(call, code)

    # What it takes.

    def _plan_of(self, rpc: str) -> Plan:
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
            return Plan(message_first=bool(injection), reading=Reading(injection_path=injection))
        reading = Reading(
            id_path=extraction.path,
            id_kind=extraction.kind,
            headers_first=extraction.headers_first,
            injection_path=injection,
        )
        return Plan(message_first=True, reading=reading)

    def _named(self, call: Call, reading: Reading) -> tuple[tuple[ModelRef, ...], Located | None]:
        """Whom the call is for, and where the message says so, if it does. Raises `InvalidRequest`."""
        ids = call.head.ids
        if ids and (reading.headers_first or not reading.id_path) and (refs := self._in_headers(ids)):
            return refs, None
        if reading.id_path:
            found = call.located(reading.id_path)
            if found is not None:
                if not found.value:
                    raise InvalidRequest("provided model id in the message must be non-empty")
                return (ModelRef(reading.id_kind, found.value),), found
        refs = self._in_headers(ids)
        if not refs:
            raise InvalidRequest("must include mm-model-id header")
        return refs, None

    def _in_headers(self, ids: tuple[Pair, ...]) -> tuple[ModelRef, ...]:
        refs = self._refs.get(ids)
        if refs is None:
            refs = model_refs(ids)
            if len(self._refs) >= REMEMBERED_MAX:
                self._refs.clear()
            if sum(len(key) + len(value) for key, value in ids) <= REMEMBERED_CHARS_MAX:
                self._refs[ids] = refs
        return refs

    def _target(self, call: Call, reading: Reading, ref: ModelRef, found: Located | None) -> Target:
        """What the runtime is sent; the model is pinned already."""
        model = ModelId(ref.name)
        known = self._targets.get(model)
        if known is None:
            if len(self._targets) >= REMEMBERED_MAX:
                self._targets.clear()
            known = (metadata_fields(model_metadata(model)), self._runtime_name(model))
            if len(model) <= REMEMBERED_CHARS_MAX:
                self._targets[model] = known
        fields, name = known
        assert self._runtime is not None
        target = Target(self._runtime, model=model, fields=fields)
        if ref.kind is RefKind.VMODEL:
            target.vmodel = ref.name
        if reading.injection_path:
            try:
                _inject(call, reading, target, found, name)
            except AdapterError:
                self.released(target)
                raise
        self._observers.begins(call, target)
        return target

    async def _load(self, model: ModelId, call: Call) -> Mapping[str, float]:
        """Have the model loaded and pin it; where the time went, in milliseconds by step.

        There is nothing to be awaited after the model is pinned: a caller who cancels leaves no pin behind.
        """
        began_s = self._clock.now_s()
        wait_s_max = call.time_left_s()
        if wait_s_max is None:
            wait_s_max = self._watch.status.loading_timeout_s * NO_DEADLINE_WAIT_FACTOR
        problem: AdapterError = CacheBusy(f"{model} was evicted before it could be used; try again later")
        async with asyncio.timeout(wait_s_max):
            for _ in range(TRIES_MAX):
                await self._watch.there()
                try:
                    spent = await self._models.load(model)
                except RuntimeUnavailable as error:
                    log.info("load is tried again", extra={"model": model, "error": error.described})
                    problem = error
                    continue
                if self._cache.acquire(model, self._clock.now_s()):
                    waited_s = self._clock.now_s() - began_s
                    self._observers.missed(model, waited_s)
                    return spent.as_ms(waited_s)
        raise problem


def _inject(call: Call, reading: Reading, target: Target, found: Located | None, name: str) -> None:
    """Have the first message name the model as the runtime knows it."""
    if found is not None and reading.injection_path == reading.id_path and len(reading.id_path) == 1:
        if found.value == name:
            return
        if not call.is_compressed:
            target.edit = Edit(found.length_at, found.end, delimited(name))
            return
    message = call.first_message
    if message is not None:
        replaced = replace_string(message, reading.injection_path, name)
        if replaced is not message:
            target.message = replaced
