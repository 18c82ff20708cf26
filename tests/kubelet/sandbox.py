"""Become a container: `sandbox.py SPEC STATUS_FD`, executed as a file by the kubelet.

Enters the pod's network, and namespaces of its own for mounts, processes, IPC and the host's name. Its root
is this machine's, seen through an overlay that keeps in memory what the container writes; `/dev`, `/proc`,
`/run` and the volumes are its own. So nothing is left on the machine, however it ends.

This process stays outside and waits: it ends with the container's status (128 + N: by signal N), and the
container with it, even by `kill -9`. To STATUS_FD goes the container's pid, then, if it could not be started,
why. Standard library only: it starts once a container, and starts fast.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
BEFORE = "/.before"
"""Where the old root is while the new one is furnished."""
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
CAPABILITIES = 41
"""How many there are."""
CANNOT_START = 128
"""The exit code of a container that could not be started, as container runtimes have it."""
OWN = ("/proc", "/sys", "/dev", "/run")
"""What a container does not share with the machine."""
DEVICES = ("null", "zero", "full", "random", "urandom")

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Raise the error of a system call."""
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """The system call."""
    words = [each.encode() for each in (source, target, kind, options)]
    check(libc.mount(words[0], words[1], words[2], flags, words[3]), f"mount {source} at {target}")


def bind(source: str, target: str, *, read_only: bool = False) -> None:
    """Show at `target` what is at `source`; both are folders, or both are none."""
    mount(source, target, flags=MS_BIND | MS_REC)
    if read_only:
        mount(source, target, flags=MS_BIND | MS_REMOUNT | MS_RDONLY)


def main(spec_path: str, status_fd: int) -> NoReturn:
    """Start the container, wait for its end, and end alike."""
    parent = os.getppid()
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(CANNOT_START)
    spec = json.loads(Path(spec_path).read_text())
    enter_network(spec["network"])
    check(libc.unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS), "unshare")
    told, go = os.pipe()
    if (pid := os.fork()) == 0:
        os.close(go)
        os.read(told, 1)  # until the pid has been told
        os.close(told)
        become(spec, status_fd)
    os.write(status_fd, f"{pid}\n".encode())
    os.close(status_fd)
    os.close(told)
    os.close(go)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def enter_network(path: str) -> None:
    """The pod's, which the kubelet made."""
    fd = os.open(path, os.O_RDONLY)
    check(libc.setns(fd, CLONE_NEWNET), f"setns {path}")
    os.close(fd)


def become(spec: dict[str, Any], status_fd: int) -> NoReturn:
    """The container's first process."""
    try:
        os.setsid()
        name = spec["hostname"].encode()
        check(libc.sethostname(name, len(name)), "sethostname")
        enter_root(spec)
        os.chdir(spec["folder"])
        give_up_rights(spec)
        # The last to be set, since a change of the user takes it back.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.set_inheritable(status_fd, False)
        for each in (signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ):
            signal.signal(each, signal.SIG_DFL)
        execute(spec["command"], spec["env"])
    except OSError as error:
        os.write(status_fd, str(error.strerror or error).encode())
    os._exit(CANNOT_START)


def execute(command: list[str], env: dict[str, str]) -> NoReturn:
    """The program, found by the container's own PATH."""
    program, path = command[0], env.get("PATH", os.defpath)
    for place in [""] if "/" in program else path.split(":"):
        try:
            os.execve(f"{place}/{program}" if place else program, command, env)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise OSError(error.errno, f'exec: "{program}": {error.strerror}') from error
    missing = "no such file or directory" if "/" in program else "executable file not found in $PATH"
    raise OSError(2, f'exec: "{program}": {missing}')


# The root.


def enter_root(spec: dict[str, Any]) -> None:
    """Make it and go there; what was the root before is out of reach then."""
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    elsewhere = list(other_file_systems())
    scratch, root = spec["scratch"], f"{spec['scratch']}/root"
    mount("scratch", scratch, "tmpfs", options="mode=0755")
    for each in ("root", "written", "work"):
        Path(scratch, each).mkdir()
    written = f"lowerdir=/,upperdir={scratch}/written,workdir={scratch}/work"
    mount("overlay", root, "overlay", options=written)
    Path(root, "root").chmod(0o711)  # programs of this machine's root, for containers that are somebody else
    for place in elsewhere:
        with contextlib.suppress(OSError):  # it may lie below another one
            bind(place, root + place, read_only=True)
    fill_own(root)
    Path(root + BEFORE).mkdir()
    places = (root.encode(), (root + BEFORE).encode())
    check(libc.syscall(SYS_PIVOT_ROOT[os.uname().machine], *places), "pivot_root")
    os.chdir("/")
    for each in spec["mounts"]:  # from inside, since links lead elsewhere seen from outside
        put_volume(BEFORE + each["source"], Path("/", each["target"]), read_only=each["read_only"])
    for place in spec["kept"]:
        if not Path(place).exists():  # a volume hides it: a checkout in /tmp, say
            Path(place).mkdir(parents=True)
            bind(BEFORE + place, place, read_only=True)
    check(libc.umount2(BEFORE.encode(), MNT_DETACH), "umount2")
    Path(BEFORE).rmdir()
    for place in ("/run", "/") if spec["read_only_root"] else ():
        mount("none", place, flags=MS_REMOUNT | MS_BIND | MS_RDONLY)


def other_file_systems() -> Iterator[str]:
    """Where this machine has mounted something, which an overlay of its root does not show."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place = line.split(" ")[4]
        if place != "/" and not place.startswith(OWN) and Path(place).is_dir():
            yield place


def fill_own(root: str) -> None:
    """`/proc`, `/sys`, `/dev` and `/run` of the container's own."""
    mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV)
    mount("/sys", f"{root}/sys", flags=MS_BIND)
    mount("/sys", f"{root}/sys", flags=MS_BIND | MS_REMOUNT | MS_RDONLY)
    mount("run", f"{root}/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    dev = f"{root}/dev"
    mount("dev", dev, "tmpfs", MS_NOSUID, "mode=0755")
    for name in DEVICES:
        Path(dev, name).touch()
        bind(f"/dev/{name}", f"{dev}/{name}")
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        Path(dev, name).symlink_to(f"/proc/self/fd{target}")
    Path(dev, "shm").mkdir()
    mount("shm", f"{dev}/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=64m")


def put_volume(source: str, target: Path, *, read_only: bool) -> None:
    """A file or folder of the kubelet's, shown where the container wants it."""
    if Path(source).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    bind(source, str(target), read_only=read_only)


# Rights.


def give_up_rights(spec: dict[str, Any]) -> None:
    """Keep these capabilities at most, and become that user."""
    for number in set(range(CAPABILITIES)) - set(spec["capabilities"]):
        libc.prctl(PR_CAPBSET_DROP, number)
    os.setgroups(spec["groups"])
    os.setresgid(spec["group"], spec["group"], spec["group"])
    os.setresuid(spec["user"], spec["user"], spec["user"])
    if spec["no_new_privileges"]:
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
