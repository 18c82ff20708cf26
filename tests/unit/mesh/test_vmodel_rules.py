"""The rules for copies that come with an alias."""

import pytest

from adapter.domain.ids import ModelId
from adapter.domain.records import CopyRules
from adapter.mesh.vmodels import Held
from tests.unit.mesh.test_vmodels import INFO, A, a_model, asked, at, held, set_

TWO = CopyRules(copies_min=2)


@pytest.mark.parametrize(
    ("there", "written"),
    [
        pytest.param(held(), {A: TWO}, id="of a model that is created"),
        pytest.param(held(at(A), a=1), {A: TWO}, id="of one that is there"),
        pytest.param(held(at(A), a=a_model(1, rules=TWO)), {}, id="that it has already"),
    ],
)
def test_the_target_has_the_rules_that_are_asked_for(there: Held, written: dict[ModelId, CopyRules]) -> None:
    writes = set_(asked(A, info=INFO, rules=TWO), there)
    assert {name: record and record.rules for name, record in writes.models.items()} == written


def test_rules_stay_as_they_are_unless_others_are_asked_for() -> None:
    assert set_(asked(A), held(at(A), a=a_model(1, rules=TWO))).models == {}
