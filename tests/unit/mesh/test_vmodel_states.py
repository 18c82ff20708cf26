"""The states of an alias, and their drawing, which `python -m tests.unit.mesh.test_vmodel_states` renews."""

from pathlib import Path

import pytest

from adapter.domain.records import VModelRecord
from adapter.mesh.vmodel_states import (
    STEPS,
    Cause,
    IllegalStep,
    VModelStatus,
    as_mermaid,
    check_step,
    status_of,
)
from adapter.stubs.mmesh import model_mesh_pb2 as mm

PAGE = Path(__file__).parents[3] / "docs" / "state-machines.md"
BEGIN, END = "<!-- drawn from adapter/mesh/vmodel_states.py -->\n", "<!-- end -->\n"

RECORDS = {
    VModelStatus.NOT_FOUND: None,
    VModelStatus.DEFINED: VModelRecord(active="a", target="a"),
    VModelStatus.TRANSITIONING: VModelRecord(active="a", target="b"),
    VModelStatus.TRANSITION_FAILED: VModelRecord(active="a", target="b", failed=True),
}


def redrawn(page: str) -> str:
    """The page with the drawing that the table gives today."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}```mermaid\n{as_mermaid()}\n```\n{END}{after}"


def test_the_numbers_are_the_apis() -> None:
    assert {status.name: status.value for status in VModelStatus} == dict(
        mm.VModelStatusInfo.VModelStatus.items()
    )


@pytest.mark.parametrize(("status", "record"), RECORDS.items(), ids=lambda value: getattr(value, "name", ""))
def test_the_record_says_the_status(status: VModelStatus, record: VModelRecord | None) -> None:
    assert status_of(record) is status


def test_a_failure_that_is_left_over_in_a_stable_record_says_nothing() -> None:
    assert status_of(VModelRecord(active="a", target="a", failed=True)) is VModelStatus.DEFINED


@pytest.mark.parametrize("status", RECORDS)
def test_what_is_not_in_the_table_raises(status: VModelStatus) -> None:
    for cause in Cause:
        for becomes, record in RECORDS.items():
            if STEPS.get((status, cause)) is becomes:
                check_step(RECORDS[status], cause, record)
            else:
                with pytest.raises(IllegalStep, match=status.name):
                    check_step(RECORDS[status], cause, record)


def test_every_cause_and_every_state_is_in_the_table() -> None:
    assert {cause for _, cause in STEPS} == set(Cause)
    assert {state for state, _ in STEPS} | set(STEPS.values()) == set(RECORDS)


def test_the_drawing_in_the_docs_is_that_of_the_table() -> None:
    page = PAGE.read_text()
    assert BEGIN in page
    assert redrawn(page) == page, "stale: run python -m tests.unit.mesh.test_vmodel_states"


if __name__ == "__main__":
    PAGE.write_text(redrawn(PAGE.read_text()))
