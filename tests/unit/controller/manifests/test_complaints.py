import pytest

from adapter.controller.manifests.complaints import COMPLAINTS_TOLD_MAX, BadManifest, Complaint, shown
from adapter.domain.errors import Code


def test_every_complaint_is_told_with_its_field() -> None:
    error = BadManifest([Complaint("spec.path", "is missing"), Complaint("kind", "must be Predictor")])
    assert str(error) == "spec.path: is missing; kind: must be Predictor"
    assert error.code is Code.INVALID_ARGUMENT


def test_a_text_that_names_its_field_stands_alone() -> None:
    text = "Only one of spec.path and spec.storage.path can be specified"
    assert str(Complaint("spec.storage.path", text)) == text


def test_the_text_of_an_error_is_bounded_and_its_complaints_are_not() -> None:
    error = BadManifest(
        Complaint(f"spec.containers[{n}]", "is missing") for n in range(COMPLAINTS_TOLD_MAX + 2)
    )
    assert len(error.complaints) == COMPLAINTS_TOLD_MAX + 2
    assert str(error).endswith("; and 2 more")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param("sklearn", "sklearn", id="a word"),
        pytest.param("a\nb", "a\\nb", id="two lines"),
        pytest.param("x" * 100, "x" * 63 + "...", id="a long one"),
    ],
)
def test_what_somebody_wrote_is_repeated_in_one_short_line(value: str, told: str) -> None:
    assert shown(value) == told
