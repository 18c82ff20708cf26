"""Ours as a pod runs it: with its core compiled."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from bench.processes import Broken
from tests.tools.compiled import compiled_environment, compiled_folder
from tests.tools.recipe import BuildFailed


@cache
def compiled_core() -> Mapping[str, str]:
    """The environment in which the core is compiled; built now if need be. Raises `Broken`."""
    try:
        return compiled_environment(compiled_folder())
    except BuildFailed as error:
        raise Broken(str(error)) from error


def check_kind(log: Path, *, compiled: bool) -> None:
    """The instance says itself that it is what is to be measured. Raises `Broken`."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    said = [line["compiled"] for line in lines if line["message"] == "instance is ready"]
    if said != [compiled]:
        raise Broken(f"it was to be {'compiled' if compiled else 'plain Python'}, and it said {said}")
