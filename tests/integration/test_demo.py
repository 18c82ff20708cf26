"""`remesh demo`, as a person runs it."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.integration.conftest import tool
from tests.tools import minio as minio_recipe

REMESH = Path(sys.executable).with_name("remesh")


def children_of(pid: int) -> set[int]:
    """All descendants, by their parents' ids in /proc."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found, more = set[int](), {pid}
    while more:
        more = {child for child, parent in parents.items() if parent in more} - found
        found |= more
    return found


@pytest.mark.parametrize("store", ["MinIO", "moto"])
def test_the_demo_ends_with_predictions_equal_to_the_libraries(store: str, tmp_path: Path) -> None:
    if store == "MinIO":
        tool(minio_recipe.RECIPE)
    env = {"REMESH_TOOLS": str(tmp_path)} if store == "moto" else {}
    said = subprocess.run(
        [REMESH, "demo", "--exit", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=os.environ | env,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert f"The models lie in {store}" in said.stdout
    told = re.findall(r"says .*, as ([\w-]+) itself does", said.stdout)
    assert told == ["scikit-learn", "XGBoost", "LightGBM", "onnxruntime"]
    assert said.stdout.count("pull") == len(told)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_the_demo_takes_everything_it_started_with_it(number: signal.Signals) -> None:
    with subprocess.Popen(
        [REMESH, "demo", "--port", "0"], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as demo:
        try:
            _ask_over_rest(_told(demo))
            started = children_of(demo.pid)
            assert len(started) >= 3, "a store, a runtime and an instance"
        except BaseException:
            demo.send_signal(signal.SIGTERM)  # or the block would wait for ever
            raise
        demo.send_signal(number)
        demo.wait(timeout=30)
    assert not {pid for pid in started if os.path.exists(f"/proc/{pid}")}  # noqa: PTH110 - a pid is no path


def _told(demo: subprocess.Popen[str]) -> str:
    """What the demo says until it stays up."""
    assert demo.stdout is not None
    said = ""
    for line in demo.stdout:
        said += line
        if "Ctrl-C ends everything" in line:
            break
    return said


def _ask_over_rest(said: str) -> None:
    """As the demo proposes."""
    curl = re.search(r"curl (http:\S+:predict) -d '(.*)'", said)
    assert curl, said
    with urlopen(Request(curl[1], data=curl[2].encode()), timeout=20) as answer:
        assert json.load(answer)["predictions"][0]["label"] == 0
