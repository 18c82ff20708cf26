"""One process of a container: started in the sandbox, signalled, waited for, and joined by commands."""

import asyncio
import fcntl
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.kubelet.security import Rights

SANDBOX = Path(__file__).with_name("sandbox.py")
OUTPUT_BYTES_MAX = 4096
"""Of a command in a container."""
GONE_S_MAX = 10.0
"""How long the kernel may take to end what was killed."""


class CannotStart(Exception):
    """The container was not started; the text says why."""


KEPT = [str(Path(__file__).resolve().parents[2]), sys.prefix]
"""Where the programs are that images stand for: no volume hides them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """What a container is."""

    command: list[str]
    env: Mapping[str, str]
    folder: str
    hostname: str
    network: Path
    mounts: list[dict[str, Any]]
    rights: Rights


class ContainerProcess:
    """A running container, until `ended`."""

    def __init__(self, box: Box, launcher: asyncio.subprocess.Process, pid: int) -> None:
        self.pid = pid
        """Of its first process, as this machine sees it."""
        self._box = box
        self._launcher = launcher

    async def ended(self) -> int:
        """Its exit code; 128 + N if signal N ended it."""
        code = await self._launcher.wait()
        return code if code >= 0 else 128 - code

    def send(self, number: signal.Signals) -> None:
        """To its first process alone, as kubelets do; with that one all of them end."""
        if self._launcher.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def execute(self, command: list[str]) -> tuple[int, str]:
        """Run a command in it: its exit code and output."""
        rights = self._box.rights
        user = ("--setuid", str(rights.user), "--setgid", str(rights.group)) if rights.user else ()
        child = await asyncio.create_subprocess_exec(
            *("nsenter", "--target", str(self.pid), "--mount", "--uts", "--ipc", "--net", "--pid"),
            *(*user, "--", *command),
            env=dict(self._box.env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            assert child.stdout is not None
            output = await child.stdout.read(OUTPUT_BYTES_MAX)
            while await child.stdout.read(OUTPUT_BYTES_MAX):
                pass  # only its first part is told
            return await child.wait(), output.decode(errors="replace").strip()
        finally:
            if child.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                await child.wait()


async def start(box: Box, *, folder: Path, log: Path) -> ContainerProcess:
    """Start a container; `folder` is its own, and its output is added to `log`. Raises `CannotStart`."""
    scratch = folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    spec = folder / "spec.json"
    spec.touch(mode=0o600)
    rights = asdict(box.rights)
    spec.write_text(json.dumps(_told(box) | rights | {"scratch": str(scratch)}))
    told, tell = os.pipe()
    try:
        with log.open("ab") as output:
            launcher = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(SANDBOX), str(spec), str(tell)),
                env={},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=(tell,),
            )
    finally:
        os.close(tell)
    pid, _, problem = (await _all_of(told)).partition("\n")
    if problem or not pid:
        await launcher.wait()
        raise CannotStart(problem or "the sandbox failed; the container's log says how")
    return ContainerProcess(box, launcher, int(pid))


def _told(box: Box) -> dict[str, Any]:
    return {
        "command": box.command,
        "env": dict(box.env),
        "folder": box.folder,
        "hostname": box.hostname,
        "network": str(box.network),
        "mounts": box.mounts,
        "kept": KEPT,
    }


async def _all_of(fd: int) -> str:
    """All that is written until nobody can write any more: the program is running then, or will never."""
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK)
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", buffering=0)
    )
    try:
        return (await reader.read()).decode(errors="replace")
    finally:
        transport.close()
