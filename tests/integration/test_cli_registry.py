"""`remesh registry`, as a process of its own."""

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from adapter.aio.clock import LoopClock
from adapter.registry.etcd import EtcdRegistry
from adapter.registry.etcd_options import read_etcd_options

COMMAND: Final = (str(Path(sys.executable).with_name("remesh")), "registry", "--listen", "127.0.0.1:0")


def said_by(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=60, check=False)


def test_it_answers_where_it_says_and_ends_when_it_is_told_to(tmp_path: Path) -> None:
    command = [*COMMAND, "--file", str(tmp_path / "r.db"), "--log-format", "json"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as registry:
        assert registry.stderr is not None
        found = re.search(r'"address": "(127\.0\.0\.1:\d+)"', registry.stderr.readline())
        try:
            assert found
            asyncio.run(_check(found[1]))
        finally:
            registry.send_signal(signal.SIGTERM)
        assert registry.wait(20) == 0


async def _check(address: str) -> None:
    options = read_etcd_options(f"etcd:{address}")
    async with EtcdRegistry.connect(options, LoopClock()) as client:
        await client.check(10.0)


def test_a_file_that_is_no_registry_is_one_line_and_a_status(tmp_path: Path) -> None:
    (tmp_path / "r.db").write_text("no database, and long enough to be none" * 100)
    said = said_by("--file", str(tmp_path / "r.db"), "--log-format", "text")
    assert said.returncode == 1
    assert said.stderr.startswith("remesh: ")
    assert str(tmp_path / "r.db") in said.stderr


def test_a_form_of_log_that_there_is_not_is_refused(tmp_path: Path) -> None:
    said = said_by("--file", str(tmp_path / "r.db"), "--log-format", "xml")
    assert (said.returncode, said.stderr) == (1, "remesh: --log-format: json or text, not 'xml'\n")
