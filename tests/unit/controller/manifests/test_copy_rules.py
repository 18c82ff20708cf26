import pytest

from adapter.controller.manifests.complaints import Complaint
from adapter.controller.manifests.copy_rules import read_copy_rules
from adapter.domain.records import CopyRules


def test_the_annotations_are_the_rules() -> None:
    annotations = {"remesh.io/minCopies": "2", "remesh.io/maxCopies": "5", "remesh.io/pin": "true"}
    assert read_copy_rules(annotations, []) == CopyRules(copies_min=2, copies_max=5, pinned=True)


def test_without_them_there_are_none() -> None:
    assert read_copy_rules({"other": "x"}, []) == CopyRules()


@pytest.mark.parametrize(
    ("annotations", "field"),
    [
        pytest.param({"remesh.io/minCopies": "-1"}, "remesh.io/minCopies", id="less than nothing"),
        pytest.param({"remesh.io/maxCopies": "many"}, "remesh.io/maxCopies", id="a word"),
        pytest.param({"remesh.io/maxCopies": "10001"}, "remesh.io/maxCopies", id="too many"),
        pytest.param(
            {"remesh.io/minCopies": "3", "remesh.io/maxCopies": "2"}, "remesh.io/maxCopies", id="crossed"
        ),
        pytest.param({"remesh.io/pin": "yes"}, "remesh.io/pin", id="neither true nor false"),
    ],
)
def test_what_is_no_rule_is_complained_of(annotations: dict[str, str], field: str) -> None:
    complaints: list[Complaint] = []
    read_copy_rules(annotations, complaints)
    assert [each.field for each in complaints] == [f"metadata.annotations[{field}]"]
