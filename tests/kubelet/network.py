"""Networks of pods: a bridge on this machine, and for each pod a namespace with an address on it.

All names carry the slot that their owner has locked, so that what a killed owner left can be told from what
another one uses. `Network` needs root and `ip` (iproute2).
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

STATE = Path("/run/remesh-kubelet")
"""Where each owner has a folder, `SLOT`, and a lock beside it."""
SLOTS = 32
PODS_MAX = 250
NAMESPACES = Path("/run/netns")
MISSING_IP = "the pod runner needs root, `ip` (package iproute2), network namespaces and overlay mounts"


class NoNetwork(Exception):
    """This machine does not give networks to pods; the text says what it said."""


def lacking() -> str | None:
    """Why no pod can run on this machine; None: they can."""
    if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("nsenter") is None:
        return MISSING_IP
    if "overlay" not in Path("/proc/filesystems").read_text():
        return MISSING_IP
    tried = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False)
    return None if tried.returncode == 0 else MISSING_IP


@dataclass(slots=True)
class Network:
    """The network of one Node; `10.244.SLOT.0/24`."""

    slot: int
    folder: Path
    """Of its owner, gone with it."""
    _next: int = 0
    _taken: set[str] = field(default_factory=set)

    @property
    def bridge(self) -> str:
        return f"rmk{self.slot}"

    @property
    def subnet(self) -> str:
        return f"10.244.{self.slot}.0/24"

    @property
    def node_ip(self) -> str:
        """This machine, as pods see it."""
        return f"10.244.{self.slot}.1"

    def make_bridge(self) -> None:
        """Raises `NoNetwork`."""
        _ip(
            f"link add {self.bridge} type bridge",
            f"addr add {self.node_ip}/24 dev {self.bridge}",
            f"link set {self.bridge} up",
        )

    def add_pod(self) -> "PodNetwork":
        """One more pod. Raises `NoNetwork`."""
        address = self._free_address()
        name = f"{self.bridge}-{address.rpartition('.')[2]}"
        pod = PodNetwork(name=name, address=address)
        try:
            _ip(
                f"netns add {name}",
                f"link add {name} type veth peer name eth0 netns {name}",
                f"link set {name} master {self.bridge} up",
            )
            _ip(
                f"addr add {address}/24 dev eth0",
                "link set eth0 up",
                "link set lo up",
                f"route add default via {self.node_ip}",
                inside=name,
            )
        except NoNetwork:
            self.remove_pod(pod)
            raise
        return pod

    def remove_pod(self, pod: "PodNetwork") -> None:
        """The namespace takes its ends of the wires with it."""
        for command in (f"link del {pod.name}", f"netns del {pod.name}"):
            with suppress(NoNetwork):
                _ip(command)
        self._taken.discard(pod.address)

    def _free_address(self) -> str:
        """Not one that was in use a moment ago, while others may still ask it."""
        for _ in range(PODS_MAX):
            self._next = self._next % PODS_MAX + 1
            address = f"10.244.{self.slot}.{self._next + 1}"
            if address not in self._taken:
                self._taken.add(address)
                return address
        raise NoNetwork(f"no address is free: {PODS_MAX} pods run here")

    def add_address(self, address: str) -> None:
        """One more address of this machine, for a Service. Raises `NoNetwork`."""
        _ip(f"addr add {address}/32 dev {self.bridge}")

    def remove_address(self, address: str) -> None:
        with suppress(NoNetwork):
            _ip(f"addr del {address}/32 dev {self.bridge}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodNetwork:
    """The namespace of one pod."""

    name: str
    address: str

    @property
    def path(self) -> Path:
        return NAMESPACES / self.name


@contextmanager
def networking() -> Iterator[Network]:
    """A network while inside; before it, what killed owners left is removed. Raises `NoNetwork`."""
    STATE.mkdir(parents=True, exist_ok=True)
    sweep()
    for slot in range(SLOTS):
        with _locked(slot) as is_ours:
            if not is_ours:
                continue
            clear(slot)
            folder = STATE / str(slot)
            folder.mkdir(parents=True)
            network = Network(slot=slot, folder=folder)
            try:
                network.make_bridge()
                yield network
            finally:
                clear(slot)
            return
    raise NoNetwork(f"{SLOTS} kubelets run on this machine")


def sweep() -> None:
    """Remove what owners left that are no more."""
    for slot in range(SLOTS):
        if not (STATE / f"{slot}.lock").exists():
            continue
        with _locked(slot) as is_ours:
            if is_ours:
                clear(slot)


def clear(slot: int) -> None:
    """All that carries this slot in its name. The processes ended with their owner."""
    network = Network(slot=slot, folder=STATE / str(slot))
    for path in NAMESPACES.glob(f"{network.bridge}-*"):
        network.remove_pod(PodNetwork(name=path.name, address=""))
    with suppress(NoNetwork):
        if Path("/sys/class/net", network.bridge).exists():
            _ip(f"link del {network.bridge}")
    shutil.rmtree(network.folder, ignore_errors=True)


@contextmanager
def _locked(slot: int) -> Iterator[bool]:
    """Whether nobody else has it; ours while inside, and free when this process ends, however it does."""
    with (STATE / f"{slot}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _ip(*commands: str, inside: str = "") -> None:
    """Several commands in one go; tens of a second would be many for each pod."""
    words = ["ip", *(("-n", inside) if inside else ()), "-batch", "-"]
    done = subprocess.run(words, input="\n".join(commands), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoNetwork(f"`ip {commands[0]}`: {done.stderr.strip()}")
