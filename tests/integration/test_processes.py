"""The supervisor, over real processes."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapter.aio.clock import LoopClock
from adapter.cluster.probes import http_answers, port_accepts
from adapter.cluster.process_states import Backoff, ProcessFailed, ProcessState
from adapter.cluster.processes import LINE_BYTES_MAX, TAIL_LINES, ProcessSpec, Supervisor
from tests.integration.mesh import free_port

SERVE = """
import http.server, sys
http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
"""
QUICK = Backoff(pause_s_first=0.05, pause_s_max=0.1, tries_max=2)


@asynccontextmanager
async def a_supervisor() -> AsyncIterator[Supervisor]:
    async with asyncio.TaskGroup() as owner:
        supervisor = Supervisor(owner=owner, clock=LoopClock())
        try:
            yield supervisor
        finally:
            await supervisor.stop()


def python(code: str, *arguments: object) -> tuple[str, ...]:
    return (sys.executable, "-c", textwrap.dedent(code), *map(str, arguments))


async def at_once() -> bool:
    return True


def when_listening(port: int) -> Callable[[], Awaitable[bool]]:
    return lambda: port_accepts(port)


def a_server(name: str, port: int, **changes: object) -> ProcessSpec:
    fields = {"command": python(SERVE, port), "ready": when_listening(port), "backoff": QUICK, **changes}
    return ProcessSpec(name=name, **fields)  # type: ignore[arg-type]  # a builder says only what matters


async def until(what: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """Other processes tell no event; they are looked at."""
    async with asyncio.timeout(seconds):
        while not what():
            await LoopClock().sleep(0.02)


async def raised_by(start: Awaitable[object]) -> ProcessFailed:
    with pytest.raises(ProcessFailed) as raised:
        await start
    return raised.value


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    try:
        return "State:\tZ" not in status.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_start_returns_when_it_answers_and_nothing_is_left_after_the_stop() -> None:
    port = free_port()
    async with a_supervisor() as supervisor:
        process = await supervisor.start(a_server("web", port))
        assert process.story[-1] == "starting -> ready because it answers"
        assert await http_answers(port, "/")
        assert not await http_answers(port, "/nowhere")
        pid = process.pid
        assert pid is not None
    assert process.state is ProcessState.GONE
    assert not is_alive(pid)
    assert not await port_accepts(port)


async def test_what_dies_at_start_is_an_error_with_the_end_of_its_output() -> None:
    code = "import sys; print('no such bucket'); sys.exit(3)"
    async with a_supervisor() as supervisor:
        with pytest.raises(ProcessFailed, match=r"(?s)web does not run.*no such bucket.*status 3"):
            await supervisor.start(a_server("web", free_port(), command=python(code)))


async def test_a_command_that_is_not_there_is_named() -> None:
    async with a_supervisor() as supervisor:
        with pytest.raises(ProcessFailed, match="cannot run /no/such/program: No such file"):
            await supervisor.start(a_server("web", free_port(), command=("/no/such/program",)))


async def test_what_is_never_ready_is_ended_and_told() -> None:
    stuck = python("import time; time.sleep(600)")
    async with a_supervisor() as supervisor:
        with pytest.raises(ProcessFailed, match=r"not ready within 0\.3 s"):
            await supervisor.start(a_server("web", free_port(), command=stuck, ready_s_max=0.3))


async def test_one_that_is_killed_comes_back() -> None:
    async with a_supervisor() as supervisor:
        process = await supervisor.start(a_server("web", free_port()))
        first = process.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: process.pid not in {None, first} and process.state is ProcessState.READY)
        assert "ready -> backing off because it ended" in process.story


async def test_one_that_dies_again_and_again_ends_the_program_that_owns_it() -> None:
    brief = python("import time; time.sleep(0.1)")
    with pytest.RaisesGroup(pytest.RaisesExc(ProcessFailed, match="web does not run")):
        async with a_supervisor() as supervisor:
            await supervisor.start(a_server("web", free_port(), command=brief, ready=at_once))
            await LoopClock().sleep(10)


async def test_they_stop_in_the_reverse_order() -> None:
    ended: list[str] = []

    def tells(name: str) -> tuple[str, ...]:
        return python(
            "import signal, sys, time\n"
            "signal.signal(signal.SIGTERM, lambda *_: (print('bye', sys.argv[1], flush=True), sys.exit()))\n"
            "print('up', flush=True)\n"
            "time.sleep(600)",
            name,
        )

    async with a_supervisor() as supervisor:
        for name in ("store", "runtime", "instance"):
            up = asyncio.Event()

            def hear(line: str, up: asyncio.Event = up) -> None:
                up.set()
                ended.append(line)

            async def is_up(up: asyncio.Event = up) -> bool:
                return up.is_set()

            await supervisor.start(a_server(name, 0, command=tells(name), ready=is_up, on_line=hear))
    byes = [line for line in ended if line.startswith("bye")]
    assert byes == ["bye instance", "bye runtime", "bye store"]


async def test_one_that_ignores_sigterm_is_killed_with_all_its_group() -> None:
    deaf = python(
        """
        import signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(child.pid, flush=True)
        time.sleep(600)
        """
    )
    async with a_supervisor() as supervisor:
        process = await supervisor.start(a_server("deaf", 0, command=deaf, ready=at_once, grace_s=0.3))
        await until(lambda: process.tail.strip().isdecimal())
        grandchild, pid = int(process.tail), process.pid
    assert pid is not None
    assert not is_alive(pid)
    await until(lambda: not is_alive(grandchild))


async def test_output_of_any_length_is_read_and_kept_within_bounds() -> None:
    loud = python("import time; print('x' * 1_000_000, 'last', sep='\\n', flush=True); time.sleep(600)")
    async with a_supervisor() as supervisor:
        process = await supervisor.start(a_server("loud", 0, command=loud, ready=at_once))
        await until(lambda: process.tail.endswith("last"))
        assert len(process.tail) <= TAIL_LINES * 2 * LINE_BYTES_MAX


async def test_cancelling_a_start_ends_what_was_started() -> None:
    async with a_supervisor() as supervisor, asyncio.TaskGroup() as owner:
        spec = a_server("slow", free_port(), command=python("import time; time.sleep(600)"))
        starting = owner.create_task(supervisor.start(spec))
        await LoopClock().sleep(0.2)
        starting.cancel()
    assert starting.cancelled()


async def test_a_stop_of_all_ends_a_start_that_is_under_way() -> None:
    async with a_supervisor() as supervisor, asyncio.TaskGroup() as owner:
        spec = a_server("slow", free_port(), command=python("import time; time.sleep(600)"))
        starting = owner.create_task(raised_by(supervisor.start(spec)))
        await LoopClock().sleep(0.2)
        await supervisor.stop()
    assert "slow was stopped before it was ready" in str(starting.result())


async def test_children_end_with_us_even_if_we_are_killed(tmp_path: Path) -> None:
    port, told = free_port(), tmp_path / "pid"
    program = f"""
        import asyncio, pathlib, sys
        from adapter.aio.clock import LoopClock
        from adapter.cluster.probes import port_accepts
        from adapter.cluster.processes import ProcessSpec, Supervisor

        async def main():
            spec = ProcessSpec(
                name="web",
                command=(sys.executable, "-c", {SERVE!r}, "{port}"),
                ready=lambda: port_accepts({port}),
            )
            async with asyncio.TaskGroup() as owner:
                process = await Supervisor(owner=owner, clock=LoopClock()).start(spec)
                pathlib.Path({str(told)!r}).write_text(str(process.pid))

        asyncio.run(main())
    """
    parent = subprocess.Popen(python(program), cwd=Path(__file__).parents[2])  # noqa: ASYNC220 - returns at once
    try:
        await until(lambda: told.exists() and told.read_text().isdecimal())
        child = int(told.read_text())
        assert is_alive(child)
    finally:
        parent.kill()
        parent.wait()
    await until(lambda: not is_alive(child))
