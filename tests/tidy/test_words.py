import ast
import re
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT, complain, named, parsed, python_files

UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
THE_CLOCK = "adapter/aio/clock.py"
WRITTEN = ("adapter", "runtimes", "tests", "bench", "protos", "docs", "deploy", ".ci")
AT_THE_TOP = ("README.md", "Makefile", "Dockerfile", "docker-compose.yml", "pyproject.toml", "hatch_build.py")
SUFFIXES = {".py", ".proto", ".md", ".sh", ".yaml", ".yml", ".toml", ""}


def written_files() -> list[Path]:
    below = [path for folder in WRITTEN for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    return [path for path in [*below, *map(ROOT.joinpath, AT_THE_TOP)] if path.is_file()]


def sleeps(tree: ast.Module) -> list[int]:
    """The lines in which asyncio's or time's own sleep is called or imported."""
    lines = []
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="asyncio" | "time"), attr="sleep"):
                lines.append(node.lineno)
            case ast.ImportFrom(module="asyncio" | "time", names=names) if any(
                a.name == "sleep" for a in names
            ):
                lines.append(node.lineno)
    return lines


def test_nothing_is_left_to_be_done() -> None:
    complain(
        [
            f"{named(path)}:{number}: {line.strip()}"
            for path in written_files()
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
            if UNFINISHED.search(line)
        ],
        remedy="Do it, or open an issue and leave no note in the code:",
    )


def test_only_the_clock_sleeps() -> None:
    complain(
        [
            f"{named(path)}:{line}"
            for path in python_files("adapter")
            if named(path) != THE_CLOCK
            for line in sleeps(parsed(path))
        ],
        remedy=f"Sleep through the clock that you are given ({THE_CLOCK}), so that tests can move the time:",
    )


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("import asyncio\nasyncio.sleep(1)", id="called"),
        pytest.param("\nfrom time import sleep", id="imported"),
        pytest.param("import time\nwait = time.sleep", id="handed on"),
    ],
)
def test_the_rule_bites(source: str) -> None:
    assert sleeps(ast.parse(source)) == [2]
