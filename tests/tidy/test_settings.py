"""`docs/settings.md` says of every variable of ModelMesh what becomes of it, and tells the truth."""

import re

from adapter.instance.settings import InstanceSettings
from tests.tidy.tree import ROOT

PAGE = (ROOT / "docs" / "settings.md").read_text()


def variables() -> set[str]:
    """Every variable that a setting is read from."""
    return {
        str(name)
        for field in InstanceSettings.model_fields.values()
        for name in field.validation_alias.choices  # type: ignore[union-attr]
    }


def rows() -> dict[str, str]:
    """What the page says of each variable that it has a row for."""
    told: dict[str, str] = {}
    for names, text in re.findall(r"^\| (`[^|]*) \| ([^|]*) \|$", PAGE, flags=re.MULTILINE):
        told |= dict.fromkeys(re.findall(r"`([A-Z_]+)`", names), text)
    return told


def test_what_the_page_calls_honoured_is_a_setting() -> None:
    honoured = {name for name, text in rows().items() if text.startswith("honoured")}
    assert honoured - variables() == set()


def test_what_the_page_calls_meaningless_is_none() -> None:
    meaningless = {name for name, text in rows().items() if text.startswith("meaningless")}
    assert meaningless & variables() == set()


def test_every_setting_of_modelmesh_has_a_row() -> None:
    modelmesh = {name for name in variables() if name.startswith(("MM_", "WKUBE_", "TAS_", "KV_", "LL_"))}
    assert modelmesh - rows().keys() == set()
