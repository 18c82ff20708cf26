import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.controller.autoscaling import autoscaling_in
from adapter.controller.plans import Autoscaling

NAMES = ("autoscalerClass", "metrics", "targetUtilizationPercentage", "min-scale", "max-scale")


def annotations(**told: str) -> dict[str, str]:
    return {f"serving.kserve.io/{name.replace('_', '-')}": value for name, value in told.items()}


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        pytest.param({}, None, id="nothing is asked for"),
        pytest.param({"min_scale": "x"}, None, id="bounds alone are not looked at"),
        pytest.param({"autoscalerClass": "hpa"}, Autoscaling(), id="the defaults"),
        pytest.param(
            {
                "autoscalerClass": "hpa",
                "metrics": "memory",
                "targetUtilizationPercentage": "90",
                "min_scale": "2",
                "max_scale": "4",
            },
            Autoscaling(metric="memory", target_percent=90, replicas_min=2, replicas_max=4),
            id="all of it",
        ),
        pytest.param(
            {"autoscalerClass": "hpa", "min_scale": "3"},
            Autoscaling(replicas_min=3, replicas_max=3),
            id="the most is at least the least",
        ),
    ],
)
def test_the_annotations_ask_for_an_autoscaler(told: dict[str, str], asked: Autoscaling | None) -> None:
    assert autoscaling_in(annotations(**told)) == (asked, ())


@pytest.mark.parametrize(
    ("told", "texts"),
    [
        pytest.param({"autoscalerClass": "external"}, ["unknown autoscaler class [external]"], id="external"),
        pytest.param(
            {"autoscalerClass": "none"},
            ["[none] is not a supported autoscaler class type."],
            id="no such class",
        ),
        pytest.param(
            {
                "autoscalerClass": "hpa",
                "metrics": "gpu",
                "min_scale": "0",
                "targetUtilizationPercentage": "101",
            },
            [
                "[gpu] is not a supported metric.",
                "must be a whole number from 1 to 100, not '101'",
                "must be a whole number from 1 to 2147483647, not '0'",
            ],
            id="every complaint at once",
        ),
    ],
)
def test_what_cannot_be_done_is_complained_of(told: dict[str, str], texts: list[str]) -> None:
    asked, complaints = autoscaling_in(annotations(**told))
    assert asked is None
    assert [each.text for each in complaints] == texts


@given(st.dictionaries(st.sampled_from([f"serving.kserve.io/{name}" for name in NAMES]), st.text(max_size=4)))
def test_whatever_is_annotated_is_an_autoscaler_or_complaints(told: dict[str, str]) -> None:
    asked, complaints = autoscaling_in({"serving.kserve.io/autoscalerClass": "hpa", **told})
    assert (asked is None) is bool(complaints)
