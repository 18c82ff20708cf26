import re
import tomllib

import pytest
import yaml

from tests.tidy.chart import CHART, committed, differences, files
from tests.tidy.tree import ROOT, complain

VALUE = re.compile(r"\.Values\.([\w.]+)")


def test_the_chart_is_what_the_kustomizations_say() -> None:
    complain(differences(committed(), files()), remedy="Render it: python -m tests.tidy.chart")


def test_every_value_that_a_template_asks_for_has_a_default() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for name in {name for text in files().values() for name in VALUE.findall(text)}:
        found = values
        for part in name.split("."):
            assert part in found, name
            found = found[part]


def test_its_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert {chart["version"], chart["appVersion"], values["image"]["tag"]} == {project["version"]}


@pytest.mark.parametrize(
    ("lying_there", "rendered", "wrong"),
    [
        pytest.param({"a": "1"}, {"a": "1"}, [], id="fresh"),
        pytest.param({"a": "1"}, {"a": "2"}, ["a is not what deploy/ says"], id="stale"),
        pytest.param({}, {"a": "1"}, ["a is missing"], id="missing"),
        pytest.param({"a": "1"}, {}, ["a is not rendered any more; delete it"], id="left over"),
    ],
)
def test_the_rule_bites(lying_there: dict[str, str], rendered: dict[str, str], wrong: list[str]) -> None:
    assert differences(lying_there, rendered) == wrong
