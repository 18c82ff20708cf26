import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from adapter.cli.commands import NAMES, application


@pytest.mark.parametrize("first", ["", "--help", "nonsense"])
def test_whoever_asks_for_none_of_them_is_shown_all(first: str) -> None:
    shown = CliRunner().invoke(application(first), ["--help"])
    assert shown.exit_code == 0
    assert all(f"  {name} " in shown.stdout for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_called_by_its_name_and_has_a_help(name: str) -> None:
    app = application(name)
    shown = CliRunner().invoke(app, [name, "--help"])
    assert shown.exit_code == 0, shown.output
    assert f"Usage: remesh {name}" in shown.output
    assert get_command(app).name == "remesh"


def test_who_is_called_does_not_wait_for_the_others() -> None:
    code = (
        "import sys; from adapter.cli.commands import application; application('get'); "
        "print([name for name in sys.modules if name.startswith(('adapter.instance', 'adapter.up.program'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
