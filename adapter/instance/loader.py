"""Carries out what the cache decides: pull, load, measure, unload; and reports back what became of it.

The cache never waits and never knows why something takes long; everything that does is here. Each command
becomes one task of the owner's group, and each task ends by telling the cache one event.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from adapter.aio.clock import Clock
from adapter.aio.keyed_lock import KeyedLock
from adapter.cache.entry import Cause
from adapter.cache.failures import Failure
from adapter.cache.messages import (
    Abandoned,
    CacheCommand,
    CacheEvent,
    CopyLost,
    DiscardFiles,
    Dropped,
    Loaded,
    LoadFailed,
    LoadRequested,
    MeasureSize,
    Pulled,
    RuntimeReset,
    Settled,
    Sized,
    StartLoad,
    StartPull,
    StartUnload,
    StopPull,
    Tick,
    Unloaded,
    WakeAt,
)
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import (
    AdapterError,
    CacheBusy,
    LoadTimedOut,
    RuntimeFailed,
    RuntimeUnavailable,
)
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.runtime import LoadedModel, RuntimeStatus
from adapter.drivers.runtime import RuntimeDriver
from adapter.instance.flights import Flight, LoadTimings
from adapter.instance.provisioning import Provisioned, Provisioner
from adapter.instance.unloading import Unloading
from adapter.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

TICK_S = 1.0
"""How often the cache is told that time has passed."""


@dataclass(slots=True, kw_only=True)
class _Loading:
    """What is being pulled and loaded. A model may be unregistered meanwhile, and its flight be settled."""

    info: ModelInfo
    timings: LoadTimings
    provisioned: Provisioned | None = None
    pulling: asyncio.Timeout | None = None
    given_up: bool = False
    """The pull is for nobody any more."""

    def give_up(self) -> None:
        self.given_up = True
        if self.pulling is not None:
            self.pulling.reschedule(0.0)


class Loader:
    """The hands of one `ModelCache`."""

    def __init__(  # noqa: PLR0913 - what it joins, each by name
        self,
        *,
        cache: ModelCache,
        provisioner: Provisioner,
        driver: RuntimeDriver,
        clock: Clock,
        owner: asyncio.TaskGroup,
        load_timeout_s: float,
        metrics: Metrics,
    ) -> None:
        self._cache = cache
        self._provisioner = provisioner
        self._driver = driver
        self._clock = clock
        self._owner = owner
        self._load_timeout_s = load_timeout_s
        self._metrics = metrics
        self._measures = metrics.models
        self._flights: dict[ModelId, Flight] = {}
        self._loading: dict[ModelId, _Loading] = {}
        self._unloading: dict[ModelId, asyncio.Task[None]] = {}
        self._turn = KeyedLock()
        self._hands = Unloading(driver=driver, clock=clock, measures=metrics.models)
        self.on_change: Callable[[ModelId], None] = lambda _model: None
        """Told when something has become of a model: too often rather than too late."""
        self.on_loaded: Callable[[ModelId, LoadedModel], None] = lambda _model, _loaded: None
        """Told what the runtime said when it had loaded a model."""
        self.on_failed: Callable[[ModelId], None] = lambda _model: None
        self.on_crash: Callable[[ModelId], AdapterError | None] = lambda _model: None
        """Asked about a model that was loaded when the runtime ended; an error puts it into quarantine."""

    def __repr__(self) -> str:
        return f"<Loader {len(self._flights)} loading, {len(self._unloading)} unloading>"

    # What others ask for.

    async def load(
        self, model: ModelId, info: ModelInfo, *, used_s: float, pinned: bool | None = None
    ) -> LoadTimings:
        """Wait until the model is loaded, sharing a load that is under way.

        A caller who is cancelled leaves; a load that all have left is given up, unless the runtime was told
        already. Raises the error of the load, of the failed load that is still remembered, or `CacheBusy`.
        """
        flight = self._flight(model, info)
        landing = flight.join()
        self.tell(LoadRequested(model=model, type=info.type, waiting=True, used_s=used_s, pinned=pinned))
        try:
            return await landing
        finally:
            flight.leave(landing)
            if not flight.is_wanted and self._flights.get(model) is flight:
                self.tell(Abandoned(model=model))

    def start_load(
        self, model: ModelId, info: ModelInfo, *, used_s: float, pinned: bool | None = None
    ) -> None:
        """Have the model loaded when there is nothing more urgent; nobody waits."""
        self._flight(model, info).background = True
        self.tell(LoadRequested(model=model, type=info.type, waiting=False, used_s=used_s, pinned=pinned))

    def is_loading(self, model: ModelId, info: ModelInfo) -> bool:
        """Whether it is being loaded as this registration has it."""
        flight = self._flights.get(model)
        return flight is not None and flight.info == info

    def drop(self, model: ModelId) -> None:
        """The model was unregistered: unload it and forget it."""
        self.tell(Dropped(model=model))
        self._metrics.forget(model)

    def unload(self, model: ModelId) -> bool:
        """Give the model's copy up, and its load if it is background work; a request loads it again.

        False, and nothing is done: callers wait for it to be loaded.
        """
        flight = self._flights.get(model)
        if flight is not None and flight.passengers:
            return False
        self.tell(Dropped(model=model, unregistered=False))
        return True

    def copy_lost(self, model: ModelId) -> None:
        """The runtime says that it does not hold this model."""
        log.info("runtime no longer holds the model", extra={"model": model})
        self._spawn("discard", model, self._discard_if_gone)
        self.tell(CopyLost(model=model))

    def runtime_reset(self, status: RuntimeStatus) -> None:
        """The runtime is a new one, and holds nothing; `status` is what it says of itself."""
        for task in self._unloading.values():
            task.cancel()
        self._unloading.clear()
        held = list(self._cache)
        self.tell(RuntimeReset())
        for model in held:
            self.on_change(model)
        self.carry_out(
            self._cache.reset_capacity(
                capacity_bytes=status.capacity_bytes,
                loading_slots=status.loading_concurrency,
                default_size_bytes=status.default_model_bytes,
                now_s=self._clock.now_s(),
            )
        )
        self._owner.create_task(self._discard_all(held), name="discard what the runtime lost")

    def carry_out(self, commands: Sequence[CacheCommand]) -> None:
        """Do what the cache answered."""
        for command in commands:
            self._carry_out(command)
            self.on_change(command.model)

    def tell(self, event: CacheEvent) -> None:
        """Report an event to the cache, and do what it answers."""
        self.carry_out(self._cache.handle(event, self._clock.now_s()))
        if not isinstance(event, Tick | RuntimeReset):
            self.on_change(event.model)

    async def keep_time(self) -> None:
        """Tell the cache, again and again, that time passes; ends when cancelled."""
        while True:
            await self._clock.sleep(TICK_S)
            self.tell(Tick())

    # What the cache commands.

    def _carry_out(self, command: CacheCommand) -> None:
        match command:
            case StartPull(model=model):
                self._start_pull(model)
            case StopPull(model=model):
                self._loading[model].give_up()
            case StartLoad(model=model, size_hint_bytes=hint):
                self._spawn("load", model, lambda model: self._load(model, hint))
            case MeasureSize(model=model):
                self._spawn("measure", model, self._measure)
            case StartUnload():
                self._start_unload(command)
            case DiscardFiles(model=model):
                self._loading.pop(model, None)
                self._spawn("discard", model, self._discard)
            case Settled(model=model, failure=failure):
                self._settle(model, failure)
            case WakeAt(at_s=at_s):
                # Several may ask; a tick too many does no harm.
                delay_s = max(at_s - self._clock.now_s(), 0.0)
                asyncio.get_running_loop().call_later(delay_s, self.tell, Tick())

    def _start_pull(self, model: ModelId) -> None:
        flight = self._flights[model]
        self._loading[model] = _Loading(info=flight.info, timings=flight.timings)
        asked_s = self._cache.loading_since(model)
        if asked_s is not None:
            self._measures.load_waited(model, waited_ms=(self._clock.now_s() - asked_s) * 1e3)
        self._spawn("pull", model, self._pull)

    def _start_unload(self, command: StartUnload) -> None:
        model = command.model
        log.debug("model unloads", extra={"model": model, "cause": command.cause})
        used_s = self._cache.used_s(model)
        if command.makes_room and used_s is not None:
            self._measures.evicted(model, unused_ms=(self._clock.now_s() - used_s) * 1e3)
        unregistered = command.cause == Cause.UNREGISTERED.value
        self._unloading[model] = self._spawn(
            "unload", model, lambda model: self._unload(model, unregistered=unregistered)
        )

    def _spawn(
        self, deed: str, model: ModelId, do: Callable[[ModelId], Awaitable[None]]
    ) -> asyncio.Task[None]:
        async def run() -> None:
            # A new load of a model begins after what was under way for it has ended.
            async with self._turn(model):
                await do(model)

        return self._owner.create_task(run(), name=f"{deed} {model}")

    async def _pull(self, model: ModelId) -> None:
        loading = self._loading[model]
        began_s = self._clock.now_s()
        try:
            async with asyncio.timeout(0.0 if loading.given_up else None) as loading.pulling:
                loading.provisioned = await self._provisioner.provide(model, loading.info)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one model must end only its load
            if loading.given_up:
                await self._end_pull(model)
                return
            del self._loading[model]
            self._fail(model, error)
            return
        disk_bytes = loading.provisioned.disk_bytes
        loading.timings.pull_s = self._clock.now_s() - began_s
        log.info("model pulled", extra={"model": model, "disk_bytes": disk_bytes})
        self.tell(Pulled(model=model, disk_bytes=disk_bytes))

    async def _end_pull(self, model: ModelId) -> None:
        """It was ended in the middle: whatever there is of it goes."""
        await self._discard(model)
        del self._loading[model]
        log.info("pull given up", extra={"model": model})
        error = CacheBusy(f"the pull of {model} was given up: nobody waited for it")
        self.tell(LoadFailed(model=model, failure=Failure(error=error, at_s=self._clock.now_s())))

    async def _load(self, model: ModelId, size_hint_bytes: int) -> None:
        loading = self._loading.pop(model)
        assert loading.provisioned is not None, f"{model} is loaded before it is pulled"
        began_s = self._clock.now_s()
        try:
            async with asyncio.timeout(self._load_timeout_s):
                loaded = await self._driver.load(
                    model, loading.provisioned.info, size_hint_bytes=size_hint_bytes
                )
        except Exception as error:  # noqa: BLE001 - as above
            await self._hands.clean_up(model)
            self._fail(model, self._timed_out(model) if isinstance(error, TimeoutError) else error)
            return
        loading.timings.load_s = self._clock.now_s() - began_s
        self._measures.loaded(model, took_ms=(loading.timings.pull_s + loading.timings.load_s) * 1e3)
        if loaded.size_bytes is not None:
            self._measures.sized(model, size_bytes=loaded.size_bytes)
        log.info(
            "model loaded",
            extra={
                "model": model,
                "size_bytes": loaded.size_bytes,
                "pull_s": round(loading.timings.pull_s, 4),
                "load_s": round(loading.timings.load_s, 4),
            },
        )
        self.on_loaded(model, loaded)
        self.tell(Loaded(model=model, size_bytes=loaded.size_bytes))

    async def _measure(self, model: ModelId) -> None:
        size_bytes: int | None = None
        began_s = self._clock.now_s()
        try:
            size_bytes = await self._driver.size_bytes(model)
        except AdapterError as error:
            log.warning("size stays as predicted", extra={"model": model, "error": error.described})
        if size_bytes is not None:
            took_ms = (self._clock.now_s() - began_s) * 1e3
            self._measures.sized(model, size_bytes=size_bytes, took_ms=took_ms)
        self.tell(Sized(model=model, size_bytes=size_bytes))

    async def _unload(self, model: ModelId, *, unregistered: bool) -> None:
        failure = await self._hands.unload(model)
        await self._discard(model)
        del self._unloading[model]
        if failure is None:
            log.info("model unloaded", extra={"model": model})
        else:
            self._measures.unload_failed()
            log.error("model stays in the runtime", extra={"model": model, "error": failure})
        if unregistered:
            # Its last calls and its unload were told of since it was first forgotten.
            self._metrics.forget(model)
        self.tell(Unloaded(model=model, failure=failure))

    async def _discard_all(self, models: Sequence[ModelId]) -> None:
        for model in models:
            async with self._turn(model):
                await self._discard_if_gone(model)

    async def _discard_if_gone(self, model: ModelId) -> None:
        if model not in self._flights and self._cache.state(model) is None:
            await self._discard(model)

    async def _discard(self, model: ModelId) -> None:
        try:
            await self._provisioner.discard(model)
        except AdapterError as error:
            # They are swept at the next start, or replaced by the next pull.
            log.warning("files stay on the disk", extra={"model": model, "error": error.described})

    def _fail(self, model: ModelId, error: Exception) -> None:
        self._measures.load_failed()
        self.on_failed(model)
        if isinstance(error, RuntimeUnavailable):
            error = self.on_crash(model) or error
        if isinstance(error, AdapterError):
            log.warning("model failed to load", extra={"model": model, "error": error.described})
        else:
            log.error("model failed to load unexpectedly", extra={"model": model}, exc_info=error)
            error = RuntimeFailed(
                f"loading {model} failed unexpectedly ({type(error).__name__}); see the log"
            )
        self.tell(LoadFailed(model=model, failure=Failure(error=error, at_s=self._clock.now_s())))

    def _timed_out(self, model: ModelId) -> LoadTimedOut:
        return LoadTimedOut(
            f"the runtime did not load {model} within {self._load_timeout_s:g} s; "
            "raise LOADTIME_TIMEOUT if the model needs longer"
        )

    # Those who wait.

    def _flight(self, model: ModelId, info: ModelInfo) -> Flight:
        return self._flights.setdefault(model, Flight(model=model, info=info))

    def _settle(self, model: ModelId, failure: Failure | None) -> None:
        flight = self._flights.pop(model, None)
        if flight is None:
            return
        if failure is None:
            flight.land()
            return
        error = failure.error

        async def fail(_: ModelId) -> None:
            flight.fail(error)

        # In its turn, so that whoever hears of a failure finds its files gone.
        self._spawn("fail", model, fail)
