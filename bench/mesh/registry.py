"""A real etcd for a bench, and what it counts. It syncs each write to the disk, as it does by default."""

import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import harness
from bench.mesh.place import HOST
from bench.processes import Broken, Watched, started

COUNTERS: Final = {
    "puts": "etcd_mvcc_put_total",
    "deletes": "etcd_mvcc_delete_total",
    "syncs": "etcd_disk_wal_fsync_duration_seconds_count",
}
ASKING_S_MAX: Final = 5.0
SETTLED_S: Final = 0.5
SETTLING_LOOKS_MAX: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Since it was started: keys written, keys deleted, and syncs of its log."""

    puts: int
    deletes: int
    syncs: int

    def __sub__(self, before: "Counted") -> "Counted":
        return Counted(
            puts=self.puts - before.puts,
            deletes=self.deletes - before.deletes,
            syncs=self.syncs - before.syncs,
        )

    @property
    def writes(self) -> int:
        return self.puts + self.deletes


@dataclass(frozen=True, slots=True, kw_only=True)
class Etcd:
    """The running one."""

    port: int
    process: Watched

    @property
    def kv_store(self) -> str:
        """As an instance is told of it."""
        return f"etcd:{HOST}:{self.port}"

    def counted(self) -> Counted:
        """What it has counted so far."""
        told = dict(
            line.rsplit(" ", 1) for line in self._get("metrics").splitlines() if not line.startswith("#")
        )
        return Counted(**{name: int(float(told[metric])) for name, metric in COUNTERS.items()})

    def settled(self) -> Counted:
        """The same once nothing is written any more: a load does not wait for the record of its copy."""
        now = self.counted()
        for _ in range(SETTLING_LOOKS_MAX):
            before = now
            time.sleep(SETTLED_S)
            now = self.counted()
            if now.writes == before.writes:
                break
        return now

    def is_healthy(self) -> bool:
        """It takes writes."""
        try:
            return '"true"' in self._get("health")
        except OSError:
            return False

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{HOST}:{self.port}/{path}", timeout=ASKING_S_MAX) as answer:
            text: bytes = answer.read()
        return text.decode()


@contextmanager
def etcd(folder: Path, *, flags: Sequence[str] = ()) -> Iterator[Etcd]:
    """One member with its data below `folder`. Raises `Broken` if it does not start."""
    port, peer_port = harness.free_port(), harness.free_port()
    url, peer_url = f"http://{HOST}:{port}", f"http://{HOST}:{peer_port}"
    command = [
        *(str(harness.tool("etcd")), "--data-dir", str(folder / "etcd"), "--log-level", "warn"),
        *("--listen-client-urls", url, "--advertise-client-urls", url),
        *("--listen-peer-urls", peer_url, "--initial-advertise-peer-urls", peer_url),
        *("--initial-cluster", f"default={peer_url}", *flags),
    ]
    with started(command, log=folder / "etcd.log") as process:
        server = Etcd(port=port, process=process)
        ends_s = time.monotonic() + harness.START_S_MAX
        while not server.is_healthy():
            process.check_alive()
            if time.monotonic() > ends_s:
                raise Broken(f"etcd is not healthy:\n{process.said}")
            time.sleep(0.02)
        yield server
