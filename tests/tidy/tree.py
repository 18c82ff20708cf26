"""The files that the tidy tests look at, and the exceptions that stand, each with its reason."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STUBS = ROOT / "adapter" / "stubs"

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50

LONG: dict[str, str] = {}
"""`path` or `path:function`, and why it may be longer. The list may only shrink."""

TESTED_ELSEWHERE: dict[str, str] = {
    "adapter/cli/apply.py": "tests/integration/test_manifests.py types it",
    "adapter/cli/delete.py": "likewise",
    "adapter/cli/describe.py": "likewise",
    "adapter/cli/get.py": "likewise",
    "adapter/controller/config.py": "it declares; tests/unit/controller/test_reading_config.py",
    "adapter/controller/plans.py": "it declares; tests/unit/controller/desired has each field rendered",
    "adapter/domain/kinds.py": "it declares; tests/unit/controller and tests/contracts/cluster.py",
    "adapter/domain/specs.py": "it declares; tests/unit/controller/manifests reads each field",
    "adapter/controller/program.py": "tests/integration/test_controller.py runs it",
    "adapter/up/declared_mesh.py": "tests/integration/test_manifests.py has one up",
    "adapter/up/looking_after.py": "likewise",
    "adapter/cli/instance.py": "it only starts; every test of tests/integration with an instance runs it",
    "adapter/cli/main.py": "tests/integration/test_ended_at_once.py ends it; test_commands.py calls it",
    "adapter/cli/models.py": "it asks a mesh and prints; tests/integration/test_commands.py",
    "adapter/demo/asking.py": "tests/integration/test_demo.py runs the demo",
    "adapter/demo/examples.py": "they are trained and asked in tests/integration/test_demo.py",
    "adapter/demo/tour.py": "tests/integration/test_demo.py takes it",
    "adapter/instance/assembly.py": "it only joins; tests/integration/test_spi_only.py and others",
    "adapter/instance/instance.py": "it only joins; tests/integration/test_first_light.py and others run it",
    "adapter/domain/named.py": "it declares settings; tests/unit/instance/test_door_settings.py",
    "adapter/instance/settings.py": "tests/unit/cli/test_settings.py reads them as a command does",
    "adapter/demo/showing.py": "it shows what the demo asks; tests/integration/test_demo.py",
    "adapter/instance/parts.py": "it names the parts; likewise",
    "adapter/instance/registry_door.py": "tests/integration/test_custom_runtime.py and test_mesh_restarts.py",
    "adapter/servers/peer.py": "tests/integration/test_channels.py asks it",
    "adapter/servers/relay_sockets.py": "tests/integration/test_relay_server_sockets.py and others",
    "adapter/up/ending.py": "tests/integration/test_up.py ends what is up",
    "adapter/up/local_mesh.py": "tests/integration/test_up.py starts it",
    "adapter/cluster/leash.py": "it becomes another program; tests/integration/test_processes.py runs it",
}
"""Source files without a test file of their name, and where they are tested instead."""


def python_files(*folders: str) -> Iterator[Path]:
    """Every Python file below these folders of the repository that somebody wrote."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not path.is_relative_to(STUBS):
                yield path


def named(path: Path) -> str:
    """The path as the repository has it."""
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def complain(complaints: list[str], *, remedy: str) -> None:
    """Fail with every complaint at once, and with what to do."""
    assert not complaints, f"{remedy}\n  " + "\n  ".join(complaints)
