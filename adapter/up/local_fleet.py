"""Declared runtimes as processes of this machine: so many pairs of instance and runtime each."""

import asyncio
import logging
import shutil
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from adapter.aio.clock import Clock
from adapter.aio.waiting import Waiting
from adapter.controller.plans import NamespacePlan, RuntimeHealth, RuntimePlan
from adapter.controller.selection.constraints import DATAPLANE_KEY, TYPE_CONSTRAINTS_KEY, config_entries
from adapter.controller.verdicts import Served
from adapter.domain.errors import Refused
from adapter.servers.inherited import GRPC, REST
from adapter.servers.listening import bound, told
from adapter.up.door_knocks import DoorKnocks
from adapter.up.local_marks import Marks
from adapter.up.local_pair import Pair
from adapter.up.local_runtimes import MLSERVER, Blueprint, Finder, blueprint
from adapter.up.local_specs import PairSpecs, Place, Ports, told_by
from adapter.up.mesh_folder import MeshFolder
from adapter.up.mesh_plan import MeshPlan

log = logging.getLogger(__name__)

REPLACED_S_MAX: Final = 180.0
"""How long a changed runtime's old processes stay for new ones that do not become ready."""

Doors = Mapping[str, socket.socket]
_Runtime = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSite:
    """Where the fleet is: the mesh, its folder, and what its first namespace has already."""

    mesh: MeshPlan
    folder: MeshFolder
    namespace: str
    """The one that has the mesh's own ports and registrations; each other one gets its own."""
    doors: Doors
    kv_store: str
    find: Finder


@dataclass(slots=True)
class _Running:
    """One pair, and the task that keeps it."""

    pair: Pair
    blueprint: Blueprint
    task: asyncio.Task[None]
    held: ExitStack
    number: int
    folder_name: str


@dataclass(slots=True)
class _Team:
    """The pairs of one runtime, and what they are to be."""

    plan: RuntimePlan
    blueprint: Blueprint | None = None
    problem: str = ""
    running: list[_Running] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    @property
    def wanted(self) -> int:
        """A server with an address of its own can be there once."""
        if self.blueprint is None:
            return 0
        return min(self.plan.replicas, 1) if self.blueprint.is_alone else self.plan.replicas


class LocalFleet:
    """A `Fleet` of processes."""

    def __init__(self, site: LocalSite, *, owner: asyncio.TaskGroup, clock: Clock) -> None:
        self._site = site
        self._owner = owner
        self._clock = clock
        self._teams: dict[_Runtime, _Team] = {}
        self._doors: dict[str, Doors] = {site.namespace: site.doors}
        self._numbers: set[int] = set()
        self._listeners: set[Waiting[_Runtime]] = set()
        self._marks = Marks(site.folder.path / "runtimes.json")
        self.knocks: Final = DoorKnocks()
        """Namespaces that somebody calls while nothing of them runs."""

    def __repr__(self) -> str:
        return f"<LocalFleet of {', '.join('/'.join(key) for key in self._teams) or 'nothing'}>"

    # What a `Fleet` does.

    async def prepare(self, plan: NamespacePlan) -> None:
        """The type constraints and the ports of the namespace. Raises `Refused`, `CannotListen`."""
        entries = config_entries(plan.runtimes, rest_enabled=plan.config.rest.enabled)
        folder = self._site.folder.namespace(plan.namespace) / "tc-config"
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in entries.items():
            if not (path := folder / name).exists() or path.read_bytes() != content:
                aside = folder / f".{name}.new"
                aside.write_bytes(content)
                aside.replace(path)
        if plan.namespace not in self._doors:
            host = self._site.mesh.host
            self._doors[plan.namespace] = {name: bound(host, 0) for name in (GRPC, REST)}
        self._listen(plan.namespace)

    async def withdraw(self, namespace: str) -> None:
        for key in [key for key in self._teams if key[0] == namespace]:
            await self.stop(*key)
        if namespace != self._site.namespace:
            self.knocks.leave(namespace)
            for door in self._doors.pop(namespace, {}).values():
                door.close()

    async def run(self, plan: RuntimePlan) -> None:
        """Its processes come and go in the background. Raises `NotHere` for what cannot run here."""
        key = (plan.namespace, plan.runtime.name)
        if plan.namespace not in self._doors:
            raise Refused(f"the namespace {plan.namespace} is not prepared yet")
        wanted = blueprint(plan.runtime, self._site.find)
        # What the instance is told otherwise, it is told by another start.
        wanted = replace(wanted, settings={**told_by(plan), **wanted.settings})
        team = self._teams.get(key)
        if team is None:
            team = self._teams[key] = _Team(plan)
            team.task = self._owner.create_task(self._look_after(key, team), name=f"team {plan.runtime.name}")
        # Each change is told, and whoever hears of one plans again: the same plan must be none.
        if (team.plan, team.blueprint) != (plan, wanted):
            team.plan, team.blueprint = plan, wanted
            self._marks.put(key, plan.marks)
            team.changed.set()

    async def stop(self, namespace: str, runtime: str) -> None:
        self._marks.put((namespace, runtime), {})
        team = self._teams.pop((namespace, runtime), None)
        if team is None or team.task is None:
            return
        team.task.cancel()
        await asyncio.wait({team.task})
        self._tell((namespace, runtime))

    async def seen(self) -> None:
        """Nothing runs from before."""

    def health(self, namespace: str, runtime: str) -> RuntimeHealth:
        marks = self._marks.of((namespace, runtime))
        team = self._teams.get((namespace, runtime))
        if team is None:
            return RuntimeHealth(marks=marks)
        problems = (each.pair.problem for each in team.running if not each.pair.is_ready)
        return RuntimeHealth(
            wanted=team.wanted,
            ready=sum(each.pair.is_ready for each in team.running),
            problem=next(filter(None, problems), ""),
            marks=marks,
        )

    async def changes(self) -> AsyncIterator[_Runtime]:
        waiting: Waiting[_Runtime] = Waiting()
        self._listeners.add(waiting)
        try:
            while True:
                yield await waiting.next()
        finally:
            self._listeners.discard(waiting)

    def addresses(self, namespace: str) -> tuple[str, ...]:
        """All instances of a namespace share one."""
        teams = (team for (place, _), team in self._teams.items() if place == namespace)
        if any(each.pair.is_ready for team in teams for each in team.running):
            return (self._address(namespace, GRPC),)
        return ()

    def served(self, namespace: str) -> Served:
        """Where clients reach the models of this namespace."""
        return Served(
            grpc_url=f"grpc://{self._address(namespace, GRPC)}",
            rest_url=f"http://{self._address(namespace, REST)}",
        )

    def kv_store(self, namespace: str) -> str:
        """The registry of this namespace's mesh, as `KV_STORE` has it. Raises `Refused`."""
        own = self._site.kv_store
        if namespace == self._site.namespace:
            return own
        if Path(own.partition(":")[2]).is_file() or ";" in own:
            raise Refused(
                f"the namespace {namespace} needs keys of its own in the registry: "
                "give --etcd as HOST:PORT, or declare models in one namespace only"
            )
        return f"{own};rootPrefix=/mm_ns/{namespace}"

    @property
    def service_name(self) -> str:
        """`MM_SERVICE_NAME` of all instances."""
        return self._site.mesh.name

    # How they are kept.

    async def _look_after(self, key: _Runtime, team: _Team) -> None:
        """Have the pairs that are wanted; when it is cancelled, none."""
        try:
            while True:
                await team.changed.wait()
                team.changed.clear()
                await self._brought_up_to_date(key, team)
        finally:
            await self._end(list(team.running), team)

    async def _brought_up_to_date(self, key: _Runtime, team: _Team) -> None:
        assert team.blueprint is not None, "there is a plan"
        outdated = [each for each in team.running if each.blueprint != team.blueprint]
        if team.blueprint.is_alone:
            await self._end(outdated, team)
        while len(team.running) - len(outdated) < team.wanted:
            new = self._start(key, team)
            if outdated:
                # The old ones serve until there are new ones, one after the other.
                with suppress(TimeoutError):
                    async with asyncio.timeout(REPLACED_S_MAX):
                        await new.pair.settled.wait()
                await self._end([outdated.pop(0)], team)
        await self._end(outdated, team)
        await self._end(team.running[team.wanted :], team)
        self._tell(key)
        self._listen(key[0])

    def _start(self, key: _Runtime, team: _Team) -> _Running:
        namespace, runtime = key
        plan, wanted = team.plan, team.blueprint
        assert wanted is not None, "there is a plan"
        number = next(number for number in range(1, len(self._numbers) + 2) if number not in self._numbers)
        self._numbers.add(number)
        held = ExitStack()
        specs = PairSpecs(
            name=f"{self._site.mesh.name[:8].rstrip('-._')}-{number}",
            folder_name=f"{namespace}_{runtime}_{number}",
            mesh=self._site.mesh,
            folder=self._site.folder,
            place=self._place(namespace),
            ports=Ports.held(self._site.mesh, held, further=2 if wanted.kind == MLSERVER else 0),
            logs=held,
        )
        pair = Pair(
            specs.name,
            lambda: specs.specs(plan, wanted),
            clock=self._clock,
            on_change=lambda: self._tell(key),
        )
        task = self._owner.create_task(pair.keep(), name=f"keep {specs.name}")
        running = _Running(pair, wanted, task, held, number, specs.folder_name)
        team.running.append(running)
        self.knocks.leave(namespace)
        log.info("started for a runtime", extra={"instance": specs.name, "runtime": f"{namespace}/{runtime}"})
        return running

    async def _end(self, going: list[_Running], team: _Team) -> None:
        """All at once: else each would load its models into the one that ends next."""
        for each in going:
            each.task.cancel()
        if going:
            await asyncio.wait({each.task for each in going})
        for each in going:
            team.running.remove(each)
            each.held.close()
            self._numbers.discard(each.number)
            shutil.rmtree(self._site.folder.instance(each.folder_name), ignore_errors=True)

    def _place(self, namespace: str) -> Place:
        site, folder = self._site, self._site.folder.namespace(namespace)
        return Place(
            kv_store=self.kv_store(namespace),
            service_name=self.service_name,
            storage_config=storage_folder(site.folder, namespace, site.namespace),
            type_constraints=folder / "tc-config" / TYPE_CONSTRAINTS_KEY,
            dataplane=folder / "tc-config" / DATAPLANE_KEY,
            doors=self._doors[namespace],
        )

    def _address(self, namespace: str, door: str) -> str:
        address = told(self._doors[namespace][door])
        return address.replace("0.0.0.0:", "127.0.0.1:").replace(":::", "[::1]:")

    def _listen(self, namespace: str) -> None:
        if not any(team.running for (place, _), team in self._teams.items() if place == namespace):
            self.knocks.listen(namespace, self._doors[namespace].values())

    def _tell(self, key: _Runtime) -> None:
        for waiting in self._listeners:
            waiting.add(key)

    def close(self) -> None:
        """No more doors: from now on only the instances have them, until their last connection ends."""
        self.knocks.close()
        for doors in self._doors.values():
            for door in doors.values():
                door.close()


def storage_folder(folder: MeshFolder, namespace: str, first: str) -> Path:
    """Where the storage keys of a namespace are, one file each."""
    return folder.storage_config if namespace == first else folder.namespace(namespace) / "storage-config"
