"""A real etcd on loopback, and what can happen to one: stopped, killed, frozen, wiped, compacted."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from adapter.domain.errors import RegistryUnavailable
from adapter.registry.registry import Registry
from tests.integration import mesh
from tests.integration.certificates import Certificates
from tests.integration.conftest import tool
from tests.tools import etcd as recipe

START_S_MAX = 30.0
RECOVERY_S_MAX = 5.0
HOST = "127.0.0.1"


@dataclass(slots=True, kw_only=True)
class Etcd:
    """One member: its ports and its data stay the same over restarts."""

    folder: Path
    program: Path
    name: str = "default"
    client_port: int = field(default_factory=mesh.free_port)
    peer_port: int = field(default_factory=mesh.free_port)
    cluster: str = ""
    """All members, as `--initial-cluster` has them; empty: this one."""
    flags: Sequence[str] = ()
    certificates: Certificates | None = None
    child: subprocess.Popen[bytes] | None = None
    _token: list[str] = field(default_factory=list)
    """Of those who have all rights, once users are asked who they are."""

    @property
    def endpoint(self) -> str:
        return f"{HOST}:{self.client_port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.certificates else 'http'}://{self.endpoint}"

    @property
    def peer_url(self) -> str:
        return f"http://{HOST}:{self.peer_port}"

    @property
    def data(self) -> Path:
        return self.folder / f"{self.name}.etcd"

    @property
    def said(self) -> str:
        return (self.folder / f"{self.name}.log").read_text(errors="replace")

    def start(self, *, wait: bool = True) -> None:
        """Start it, or start it again; with `wait` until it answers."""
        command = [str(self.program), *self._own_flags(), *self._tls_flags(), *self.flags]
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        if wait:
            self.wait_until_healthy()

    def _own_flags(self) -> list[str]:
        return [
            *("--name", self.name, "--data-dir", str(self.data), "--unsafe-no-fsync"),
            *("--listen-client-urls", self.url, "--advertise-client-urls", self.url),
            *("--listen-peer-urls", self.peer_url, "--initial-advertise-peer-urls", self.peer_url),
            *("--initial-cluster", self.cluster or f"{self.name}={self.peer_url}"),
            *("--log-level", "warn", "--log-outputs", "stderr"),
        ]

    def _tls_flags(self) -> list[str]:
        if self.certificates is None:
            return []
        made = self.certificates
        return [
            *("--cert-file", str(made.server), "--key-file", str(made.server_key)),
            *("--client-cert-auth", "--trusted-ca-file", str(made.authority)),
        ]

    def wait_until_healthy(self) -> None:
        """Until it takes writes; if it ends instead, its output is the failure."""
        ends_s = time.monotonic() + START_S_MAX
        while not self._listens() or self._ctl("endpoint", "health").returncode != 0:
            assert self.child is not None
            assert self.child.poll() is None, f"it ended:\n{self.said}"
            assert time.monotonic() < ends_s, f"it is not healthy:\n{self.said}"
            time.sleep(0.05)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.client_port)) == 0

    def stop(self) -> None:
        """As a rolling restart does it."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self.child is None or self.child.poll() is not None:
            return
        self.child.send_signal(signal.SIGCONT)
        self.child.send_signal(how)
        self.child.wait(timeout=30)

    def wipe(self) -> None:
        """All that it remembers is gone; it must have ended."""
        shutil.rmtree(self.data)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It neither answers nor closes a connection."""
        assert self.child is not None
        os.kill(self.child.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.child.pid, signal.SIGCONT)

    # As an operator, by etcdctl.

    def ctl(self, *words: str) -> str:
        """`etcdctl` with all rights; its output."""
        done = self._ctl(*words)
        assert done.returncode == 0, f"etcdctl {words[0]}: {done.stderr}"
        return done.stdout

    def _ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.program.with_name("etcdctl")), "--endpoints", self.url, "--command-timeout", "5s"]
        if self.certificates is not None:
            made = self.certificates
            command += ["--cacert", str(made.authority), "--cert", str(made.client("operator"))]
            command += ["--key", str(made.client_key("operator"))]
        return subprocess.run(
            [*command, *self._token, *words], capture_output=True, text=True, timeout=30, check=False
        )

    def revision(self) -> int:
        told = json.loads(self.ctl("get", "any", "--write-out", "json"))
        return int(told["header"]["revision"])

    def compact(self) -> None:
        """Forget all that was before now."""
        self.ctl("compaction", str(self.revision()))

    def ask_who(self, users: Mapping[str, str], *, root_password: str, prefix: str) -> None:
        """Users and passwords; each may do everything below `prefix`, and nothing elsewhere."""
        self.ctl("user", "add", f"root:{root_password}")
        self.ctl("user", "grant-role", "root", "root")
        self.ctl("role", "add", "ours")
        self.ctl("role", "grant-permission", "ours", "--prefix=true", "readwrite", prefix)
        for user, password in users.items():
            self.ctl("user", "add", f"{user}:{password}")
            self.ctl("user", "grant-role", user, "ours")
        self.ctl("auth", "enable")
        self._token += ["--user", f"root:{root_password}"]


@contextmanager
def serving(
    folder: Path, *, flags: Sequence[str] = (), certificates: Certificates | None = None
) -> Iterator[Etcd]:
    """One etcd, until the end of the block. Skips the test if there is no etcd."""
    program = tool(recipe.RECIPE)
    folder.mkdir(parents=True, exist_ok=True)
    etcd = Etcd(folder=folder, program=program, flags=flags, certificates=certificates)
    try:
        etcd.start()
        yield etcd
    finally:
        etcd.kill()


@contextmanager
def cluster(folder: Path, *, size: int = 3) -> Iterator[list[Etcd]]:
    """Members that elect a leader among them."""
    program = tool(recipe.RECIPE)
    folder.mkdir(parents=True, exist_ok=True)
    members = [Etcd(folder=folder, program=program, name=f"m{number}") for number in range(size)]
    known = ",".join(f"{member.name}={member.peer_url}" for member in members)
    with ExitStack() as stack:
        for member in members:
            member.cluster = known
            stack.callback(member.kill)
            member.start(wait=False)
        for member in members:
            member.wait_until_healthy()
        yield members


async def recovers(registry: Registry) -> None:
    """Soon a commit succeeds again."""
    async with asyncio.timeout(RECOVERY_S_MAX):
        while True:
            try:
                await registry.commit({"recovered": b"1"}, guards={})
            except RegistryUnavailable:
                await asyncio.sleep(0.05)
            else:
                return
