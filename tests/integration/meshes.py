"""A mesh of several instances on loopback, each before a runtime of its own, for tests of what befalls them.

The runtimes and the clients are the Go program of `bench/mesh`; the registry is a real etcd. Each of them
can be stopped, killed, frozen and started again, and comes back at the same place. What a test asserts is
what clients saw (`Traffic.end`), and that the registry tells the truth afterwards (`Mesh.settle`).
"""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from adapter.domain.records import CopyState
from adapter.registry.encoding import decode_copy
from bench.mesh.clients import Asking, Registered, Registering, Verdict, register
from bench.mesh.place import KEYS, Place
from bench.mesh.stub import Stub
from tests.integration import etcd as real_etcd
from tests.integration.conftest import lacks
from tests.integration.etcd import Etcd
from tests.tools.get import obtain
from tests.tools.mesh_traffic import RECIPE
from tests.tools.recipe import cache_folder

READY_S_MAX = 60.0
GONE_S_MAX = 60.0
"""An instance drains before it ends."""
SETTLED_S_MAX = 60.0
LOOKING_EVERY_S = 0.05
COMMAND = (sys.executable, "-m", "adapter", "instance")


@dataclass(slots=True, kw_only=True)
class Server:
    """A process that can be started again, its output appended to one file."""

    name: str
    command: Sequence[str]
    output: Path
    env: Mapping[str, str] = field(default_factory=dict)
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert not self.is_running, f"{self.name} runs already"
        with self.output.open("ab") as log:
            self.child = subprocess.Popen(
                list(self.command), stdout=log, stderr=subprocess.STDOUT, env=os.environ | self.env
            )

    @property
    def is_running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    @property
    def said(self) -> str:
        """The end of its output."""
        return self.output.read_text(errors="replace")[-4000:] if self.output.exists() else ""

    def stop(self) -> int:
        """SIGTERM, until it is gone; its exit status."""
        self._signal(signal.SIGTERM)
        return self._running().wait(GONE_S_MAX)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        self._running().wait(GONE_S_MAX)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It neither answers nor closes a connection."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def end(self) -> None:
        """However it is, it ends."""
        if self.is_running:
            self._running().send_signal(signal.SIGCONT)
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        self._running().send_signal(number)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self.child is not None, f"{self.name} was never started"
        return self.child


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One instance and its runtime."""

    place: Place
    stub: Stub
    instance: Server
    runtime: Server

    @property
    def name(self) -> str:
        return self.place.name

    @property
    def address(self) -> str:
        return self.place.address

    def start(self) -> None:
        """Both, each unless it runs; not waited for."""
        for server in (self.runtime, self.instance):
            if not server.is_running:
                server.start()

    def wait_until_ready(self) -> None:
        """Until the instance says that it is; if it ends instead, its output is the failure."""

        def ready() -> bool:
            assert self.instance.is_running, f"{self.name} ended:\n{self.instance.said}"
            return self.place.is_ready()

        wait_until(ready, READY_S_MAX, lambda: f"{self.name} is not ready:\n{self.instance.said}")

    def restart(self) -> None:
        """The instance as a rolling update does it: told to end, gone, started anew, ready."""
        status = self.instance.stop()
        assert status == 0, f"{self.name} ended with status {status}:\n{self.instance.said}"
        self.start()
        self.wait_until_ready()


@dataclass(slots=True, kw_only=True)
class Traffic:
    """A client that asks all the while."""

    child: subprocess.Popen[bytes]
    output: Path
    complaints: Path

    def go_on(self, seconds: float) -> None:
        """Nothing happens for so long but traffic."""
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise AssertionError(f"the client ended:\n{self.complaints.read_text()}")

    def end(self) -> Verdict:
        """No more questions; what came of them all."""
        self.child.send_signal(signal.SIGTERM)
        status = self.child.wait(GONE_S_MAX)
        assert status == 0, f"the client ended with status {status}:\n{self.complaints.read_text()}"
        verdict = Verdict.read(self.output.read_text())
        sys.stdout.write(f"{verdict.described}\n")
        return verdict


@dataclass(slots=True, kw_only=True)
class Mesh:
    """The members, by name, and their registry."""

    folder: Path
    etcd: Etcd
    members: dict[str, Member]
    _clients: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def addresses(self) -> list[str]:
        return [member.address for member in self.members.values()]

    @property
    def running(self) -> list[Member]:
        return [member for member in self.members.values() if member.instance.is_running]

    def start(self) -> None:
        """All of them, and wait until they are ready."""
        for member in self.members.values():
            member.start()
        for member in self.members.values():
            member.wait_until_ready()

    def register(self, asked: Registering, *, at: Sequence[str] = ()) -> Registered:
        """Every one of them without failure; `at` all addresses, or these."""
        registered = register(at or self.addresses, asked)
        assert not registered.failed, f"{registered.failed}: {registered.examples}"
        return registered

    @contextmanager
    def asked(self, asking: Asking, *, at: Sequence[str] = ()) -> Iterator[Traffic]:
        """Traffic while the block lasts, or until it is ended there."""
        number = len(self._clients)
        output, complaints = self.folder / f"client-{number}.json", self.folder / f"client-{number}.log"
        with output.open("wb") as out, complaints.open("wb") as err:
            child = subprocess.Popen(asking.command(at or self.addresses), stdout=out, stderr=err)
        self._clients.append(child)
        traffic = Traffic(child=child, output=output, complaints=complaints)
        try:
            wait_until(lambda: "asking" in complaints.read_text(), READY_S_MAX, complaints.read_text)
            yield traffic
        finally:
            child.kill()
            child.wait()

    # The truth.

    def held(self) -> dict[str, set[str]]:
        """What the runtimes of the running instances hold, by instance."""
        return {member.name: set(member.stub.models()) for member in self.running}

    def recorded(self) -> dict[str, set[str]]:
        """The loaded copies of which the registry tells, by instance; with those that are not running."""
        copies: dict[str, set[str]] = {member.name: set() for member in self.running}
        for key, value in self.keys("copies/").items():
            model, _, instance = key.rpartition("/")
            if decode_copy(key, value).state is CopyState.LOADED:
                copies.setdefault(instance, set()).add(model)
        return copies

    def keys(self, below: str) -> dict[str, bytes]:
        """The entries of the registry whose keys begin so, without that beginning."""
        prefix = f"{KEYS}{below}"
        told = json.loads(self.etcd.ctl("get", "--prefix", prefix, "--write-out", "json"))
        return {
            base64.b64decode(entry["key"]).decode().removeprefix(prefix): base64.b64decode(entry["value"])
            for entry in told.get("kvs", ())
        }

    def settle(self) -> None:
        """Wait until those that run are listed, nobody else is, and the copies recorded are those held."""
        wait_until(lambda: not self.untruths(), SETTLED_S_MAX, lambda: "\n".join(self.untruths()))

    def untruths(self) -> list[str]:
        """Where the registry and the runtimes differ."""
        listed, running = set(self.keys("instances/")), {member.name for member in self.running}
        told = [f"{name} runs, and is not listed" for name in sorted(running - listed)]
        told += [f"{name} is listed, and does not run" for name in sorted(listed - running)]
        held, recorded = self.held(), self.recorded()
        for name in sorted(held | recorded):
            missing = held.get(name, set()) - recorded.get(name, set())
            surplus = recorded.get(name, set()) - held.get(name, set())
            if missing or surplus:
                told.append(
                    f"{name} holds {len(missing)} that are not recorded, such as {sorted(missing)[:3]}; "
                    f"{len(surplus)} are recorded that it does not hold, such as {sorted(surplus)[:3]}"
                )
        return told


@contextmanager
def a_mesh(folder: Path, *, size: int, runtime_flags: Sequence[str] = (), **env: str) -> Iterator[Mesh]:
    """So many instances over a new etcd, all of them ready. Skips the test if etcd or Go is missing."""
    require_traffic()
    with real_etcd.serving(folder / "etcd") as etcd:
        members = [
            a_member(folder, f"instance-{number}", etcd=etcd, runtime_flags=runtime_flags, **env)
            for number in range(size)
        ]
        mesh = Mesh(folder=folder, etcd=etcd, members={member.name: member for member in members})
        try:
            mesh.start()
            yield mesh
        finally:
            for member in mesh.members.values():
                member.instance.end()
                member.runtime.end()


def a_member(folder: Path, name: str, *, etcd: Etcd, runtime_flags: Sequence[str] = (), **env: str) -> Member:
    """One that was not started; add it to `Mesh.members` and start it to let it join."""
    own = folder / name
    own.mkdir(parents=True)
    place, stub = Place(name=name, folder=own), Stub(name=name, flags=runtime_flags)
    settings = place.environment(kv_store=f"etcd:{etcd.endpoint}", runtime_port=stub.port)
    return Member(
        place=place,
        stub=stub,
        instance=Server(name=name, command=COMMAND, output=own / "instance.log", env={**settings, **env}),
        runtime=Server(name=f"runtime of {name}", command=stub.command(), output=own / "runtime.log"),
    )


def require_traffic() -> None:
    """The Go program is built anew when its source has changed; without Go the test is skipped, or fails."""
    if not RECIPE.is_built(cache_folder()) and not obtain(RECIPE, cache_folder()):
        lacks(f"the traffic of a mesh cannot be built ({RECIPE.missing() or 'see the log of its build'})")


def wait_until(true: Callable[[], bool], patience_s: float, complaint: Callable[[], str]) -> None:
    """Look until it is so; if it never is, what there is to complain of is the failure."""
    ends_s = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < ends_s, f"not after {patience_s:.0f} s: {complaint()}"
        time.sleep(LOOKING_EVERY_S)
