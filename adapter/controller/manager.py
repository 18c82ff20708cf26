"""The loop: what is heard becomes keys, each key is looked at, what fails is tried again.

Level-triggered: what is done depends on what there is, not on what happened; so an event too many costs a
look, and one that was missed is made up for by the next, or by the resync.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from adapter.aio.groups import cancelled_at_the_end
from adapter.cluster.cluster import Changed, Listed
from adapter.controller.config import ControllerConfig
from adapter.controller.config_work import USER_CONFIG, ConfigWork
from adapter.controller.doors import Doors
from adapter.controller.keys import ModelKey, RuntimeKey, WorkKey
from adapter.controller.model_work import ModelWork, fingerprint
from adapter.controller.registry_events import RegistryEvents, RegistryOpener
from adapter.controller.runtime_work import RuntimeWork
from adapter.controller.sleeping import Sleeping
from adapter.controller.usage import Usage
from adapter.controller.workqueue import WorkQueue
from adapter.controller.world import World, work_in, work_of
from adapter.domain.errors import AdapterError
from adapter.domain.kinds import (
    CLAIM,
    CLUSTER_SERVING_RUNTIME,
    CONFIG_MAP,
    INFERENCE_SERVICE,
    NAMESPACE,
    PREDICTOR,
    SECRET,
    SERVING_RUNTIME,
    Kind,
)

log = logging.getLogger(__name__)

PAUSE_S_MIN: Final = 0.001
"""A timer may fire a little early; that must not become a loop."""
RESYNC_BATCH_S: Final = 1.0
"""Models that are due for a resync are added to the queue this often, a few at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much is done at once, how often all of it anew, and with what to begin."""

    workers: int = 16
    resync_s: float = 600.0
    defaults: ControllerConfig = field(default_factory=ControllerConfig)
    """What holds where `model-serving-config` says nothing."""


class Manager:
    """Looks after all objects in its scope."""

    def __init__(
        self,
        world: World,
        doors: Doors,
        *,
        opened: RegistryOpener,
        owner: asyncio.TaskGroup,
        options: Options,
    ) -> None:
        self.queue: WorkQueue[WorkKey] = WorkQueue()
        self.world = world
        self._doors = doors
        self._options = options
        self._owner = owner
        self._added = asyncio.Event()
        self._taking = asyncio.Lock()
        self._listed = asyncio.Event()
        self.leads = asyncio.Event()
        """Until it is set nothing is done; what is there is followed all the same."""
        self.usage = Usage(tell=self._used, runtimes=self._names, now_ms=doors.clock.epoch_ms)
        sleeping = Sleeping(world, doors, self.usage)
        self._models = ModelWork(world, doors, sleeping)
        self._config = ConfigWork(world, doors, defaults=options.defaults)
        self._events = RegistryEvents(
            opened=opened, tell=self.add, usage=self.usage, owner=owner, clock=doors.clock
        )
        self._runtimes = RuntimeWork(world, doors, sleeping, look_again=self._events.look_again)
        self._followed: dict[str, list[asyncio.Task[None]]] = {}
        self._reached: dict[str, bool] = {}
        self.looks = 0
        """How often something was looked at."""
        self.failures = 0

    def add(self, *keys: WorkKey, routine: bool = False) -> None:
        """They are to be looked at; what is routine, after all that somebody waits for."""
        for key in keys:
            self.queue.add(key, routine=routine)
        self._added.set()

    def _used(self, runtime: RuntimeKey) -> None:
        """Something was told of its use."""
        if self.world.config.scale_to_zero.idle_s > 0:
            self.add(runtime)

    def called(self, namespace: str) -> None:
        """Somebody calls the mesh of a namespace of which nothing runs: what could answer is started."""
        self.usage.called(namespace)

    def _names(self, namespace: str) -> Iterable[str]:
        return [runtime.name for runtime in self.world.served(namespace)]

    def start(self) -> None:
        """Follow everything, and look at what comes, until the owner ends."""
        scope = self.world.scope
        everywhere = None if scope.cluster_wide else scope.namespace
        for kind in (SERVING_RUNTIME, INFERENCE_SERVICE, PREDICTOR, CLUSTER_SERVING_RUNTIME):
            if kind in scope.kinds:
                within = everywhere if kind.namespaced else None
                self._spawn(self._follow(kind, within), f"follow {kind}s")
        self._spawn(self._follow(CONFIG_MAP, scope.namespace, [USER_CONFIG]), "follow the configuration")
        if scope.cluster_wide:
            self._spawn(self._follow(NAMESPACE, None), "follow Namespaces")
        self._look_after(scope.namespace)
        self._spawn(self._follow_fleet(), "follow the fleet")
        self._spawn(self._resync(), "resync")
        for number in range(self._options.workers):
            self._spawn(self._work(), f"worker {number}")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return self._owner.create_task(work, name=name)

    # What is heard.

    async def _follow(self, kind: Kind, namespace: str | None, names: Sequence[str] = ()) -> None:
        async for news in self._doors.cluster.follow(kind, namespace=namespace):
            matters = _only(news, names) if names else news
            if matters is not None:
                self._hear(kind, matters, namespace)
            if kind == CONFIG_MAP and self._config.look():
                self._configured()

    def _hear(self, kind: Kind, news: Listed | Changed, namespace: str | None) -> None:
        was_known = namespace is not None and self.world.is_known(namespace)
        turns = self.world.hear(kind, news, namespace=namespace)
        for turn in turns:
            if kind == NAMESPACE:
                self._look_after(turn.key.name)
            # What somebody changes now comes before all that there was when we began.
            self.add(*work_of(self.world, kind, turn), routine=isinstance(news, Listed))
            if kind == SECRET and turn.key.name == self.world.scope.etcd_secret:
                for each in filter(self.world.is_enabled, self.world.affected(turn.key)):
                    self._events.again(each)
        if namespace is not None and not was_known and self.world.is_known(namespace):
            is_home = namespace == self.world.scope.namespace
            for each in list(self.world.enabled()) if is_home else [namespace]:
                self.add(*work_in(self.world, each), routine=True)
        if turns and kind in (SERVING_RUNTIME, CLUSTER_SERVING_RUNTIME):
            self._selections_changed({turn.key.namespace for turn in turns if turn.key.namespace})
        if self.world.is_listed and not self._listed.is_set():
            self._listed.set()
            for each in self.world.enabled():
                self.add(*work_in(self.world, each), routine=True)

    def _selections_changed(self, namespaces: Iterable[str]) -> None:
        """Runtimes came, went or changed: whoever is served by others now is looked at again."""
        for namespace in namespaces or list(self.world.enabled()):
            for key, model in self.world.models_in(namespace):
                if fingerprint(self.world.select(model)) != self._models.chosen.get(key):
                    self.add(key)

    def _configured(self) -> None:
        for namespace in list(self.world.enabled()):
            self._look_after(namespace, again=True)
            self.add(*work_in(self.world, namespace))

    def _look_after(self, namespace: str, *, again: bool = False) -> None:
        """Follow what matters of a namespace while it is enabled, and its registry."""
        enabled = self.world.is_enabled(namespace)
        # Where etcd is stands in the own namespace, also for all others.
        matters = enabled or namespace == self.world.scope.namespace
        if (not matters or again) and namespace in self._followed:
            for task in self._followed.pop(namespace):
                task.cancel()
            self.world.unknown(namespace)
        if not enabled:
            self._events.drop(namespace)
        if matters and namespace not in self._followed:
            names = self.world.secret_names()
            self._followed[namespace] = [
                self._spawn(self._follow(kind, namespace, which), f"follow {kind}s of {namespace}")
                for kind, which in ((SECRET, names), (CLAIM, ()))
                if kind in self.world.scope.kinds
            ]
        if enabled and self.world.knows_registry(namespace):
            self._events.follow(namespace)

    async def _follow_fleet(self) -> None:
        async for namespace, runtime in self._doors.fleet.changes():
            self.add(RuntimeKey(namespace, runtime))
            is_reached = bool(self._doors.fleet.addresses(namespace))
            if is_reached is not self._reached.get(namespace, False):
                # The mesh has come, and is told everything; or it has gone, and nothing is ready any more.
                self._reached[namespace] = is_reached
                self.add(*(key for key, _ in self.world.models_in(namespace)))
            else:
                self.add(*self._models.waiting.get(namespace, ()))
                self.add(*(key for key, model in self.world.models_in(namespace) if model.runtime == runtime))

    async def _resync(self) -> None:
        """Look at each model once in so long, evenly."""
        while True:
            keys = [key for namespace in list(self.world.enabled()) for key in work_in(self.world, namespace)]
            parts = max(int(self._options.resync_s / RESYNC_BATCH_S), 1)
            for part in range(parts):
                await self._doors.clock.sleep(RESYNC_BATCH_S)
                self.add(*keys[part::parts], routine=True)

    # The work.

    async def _work(self) -> None:
        await self.leads.wait()
        await self._listed.wait()
        await self._doors.fleet.seen()
        while True:
            # One worker waits for what is due: woken for one key, all the others would find nothing.
            async with self._taking:
                key = await self._next()
            await self._look_at(key)

    async def _next(self) -> WorkKey:
        """Taken from the queue, as soon as there is one."""
        while (key := self.queue.take(self._doors.clock.now_s())) is None:
            await self._something_due()
        return key

    async def _something_due(self) -> None:
        due_s = self.queue.next_due_s()
        self._added.clear()
        wait_s = None if due_s is None else max(due_s - self._doors.clock.now_s(), PAUSE_S_MIN)
        try:
            async with asyncio.timeout(wait_s):
                await self._added.wait()
        except TimeoutError:
            pass

    async def _look_at(self, key: WorkKey) -> None:
        clock = self._doors.clock
        self.looks += 1
        try:
            again_s = await self._done(key)
        except AdapterError as error:
            pause_s = self.queue.failed(key, clock.now_s()) - clock.now_s()
            self.failures += 1
            fields = {"key": str(key), "error": str(error), "again_s": round(pause_s, 1)}
            log.warning("it is tried again", extra=fields)
        except Exception:
            # A fault of ours with one object must not keep the others from being looked at.
            self.queue.failed(key, clock.now_s())
            self.failures += 1
            log.exception("looking at this failed", extra={"key": str(key)})
        else:
            self.queue.done(key, again_at_s=None if again_s is None else clock.now_s() + again_s)
        self._added.set()

    async def _done(self, key: WorkKey) -> float | None:
        if self.world.is_enabled(key.namespace) and not self.world.is_known(key.namespace):
            return None  # its turn comes when it is
        if isinstance(key, ModelKey):
            return await self._models.look_at(key)
        if isinstance(key, RuntimeKey):
            return await self._runtimes.look_at(key)
        return await self._runtimes.look_at_namespace(key)


def _only(news: Listed | Changed, names: Sequence[str]) -> Listed | Changed | None:
    """Of secrets and the like, those that matter; what the others hold is not kept."""
    if isinstance(news, Listed):
        return Listed(objects=[each for each in news.objects if each["metadata"]["name"] in names])
    return news if news.key.name in names else None


@asynccontextmanager
async def managing(
    world: World, doors: Doors, *, opened: RegistryOpener, options: Options | None = None
) -> AsyncIterator[Manager]:
    """Look after the cluster while inside, from when the manager `leads`."""
    async with cancelled_at_the_end() as owner:
        manager = Manager(world, doors, opened=opened, owner=owner, options=options or Options())
        manager.start()
        try:
            yield manager
        finally:
            await doors.meshes.close()
