"""`docs/settings.md` says of every variable of ModelMesh what becomes of it, and tells the truth."""

import re
from typing import Final

import pytest
import typer
from pydantic import BaseModel

from adapter.cli.commands import application
from adapter.controller.settings import ControllerSettings
from adapter.instance.settings import InstanceSettings
from tests.tidy.tree import ROOT

OF_INSTANCE, _, OF_CONTROLLER = (ROOT / "docs" / "settings.md").read_text().partition("## The controller\n")
PAGES: Final = {InstanceSettings: OF_INSTANCE, ControllerSettings: OF_CONTROLLER}
OURS: Final = "REMESH_"
STANDARD: Final = {"KUBECONFIG", "LOG_LEVEL"}
"""Of Kubernetes' programs, and of many; no variables of ModelMesh's controller."""

each_program = pytest.mark.parametrize("program", PAGES, ids=lambda program: program.__name__)


def variables(program: type[BaseModel]) -> set[str]:
    """Every variable that a setting is read from."""
    return {
        str(name)
        for field in program.model_fields.values()
        for name in field.validation_alias.choices  # type: ignore[union-attr]
    }


def rows(program: type[BaseModel]) -> dict[str, str]:
    """What the page says of each variable that it has a row for."""
    told: dict[str, str] = {}
    for names, text in re.findall(r"^\| (`[^|]*) \| ([^|]*) \|$", PAGES[program], flags=re.MULTILINE):
        told |= dict.fromkeys(re.findall(r"`([A-Z_]+)`", names), text)
    return told


@each_program
def test_what_the_page_calls_honoured_is_a_setting(program: type[BaseModel]) -> None:
    honoured = {name for name, text in rows(program).items() if text.startswith("honoured")}
    assert honoured
    assert honoured - variables(program) == set()


@each_program
def test_what_the_page_calls_meaningless_is_none(program: type[BaseModel]) -> None:
    meaningless = {name for name, text in rows(program).items() if text.startswith("meaningless")}
    assert meaningless & variables(program) == set()


def test_every_setting_of_modelmesh_has_a_row() -> None:
    modelmesh = {
        name
        for name in variables(InstanceSettings)
        if name.startswith(("MM_", "WKUBE_", "TAS_", "KV_", "LL_"))
    }
    assert modelmesh - rows(InstanceSettings).keys() == set()


def test_every_setting_of_modelmeshs_controller_has_a_row() -> None:
    modelmesh = {name for name in variables(ControllerSettings) - STANDARD if not name.startswith(OURS)}
    assert modelmesh - rows(ControllerSettings).keys() == set()


def test_every_flag_of_modelmeshs_controller_is_an_option_and_its_variable_a_setting() -> None:
    command = typer.main.get_command(application("")).commands["controller"]  # type: ignore[attr-defined]
    options = {name for parameter in command.params for name in parameter.opts}
    told = re.findall(r"^\| `(--[a-z-]+)` \| (honoured[^|]*) \|$", OF_CONTROLLER, flags=re.MULTILINE)
    assert {flag for flag, _ in told} - options == set()
    named = {name for _, text in told for name in re.findall(rf"`({OURS}[A-Z_]+)`", text)}
    assert named
    assert named - variables(ControllerSettings) == set()
