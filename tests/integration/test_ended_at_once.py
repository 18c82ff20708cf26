"""The first process of a container, told to end while it still imports what it needs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import lacks
from tests.kubelet.network import lacking

ENDED_BY_SIGTERM = 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("words", "imported"),
    [
        pytest.param(("adapter", "instance"), "typer", id="remesh"),
        pytest.param(("runtimes.python_runtime",), "asyncio", id="runtime"),
    ],
)
def test_a_signal_ends_it_however_early(words: tuple[str, ...], imported: str) -> None:
    if problem := lacking():
        lacks(problem)
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-X", "importtime", "-m", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as outside:
        assert outside.stderr is not None
        while imported not in outside.stderr.readline().split():
            assert outside.poll() is None
        first = int(Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text())
        os.kill(first, signal.SIGTERM)
        outside.stderr.read()
        assert outside.wait(10) == ENDED_BY_SIGTERM
