from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.controller.autoscaling import autoscaling_complaints, autoscaling_in
from adapter.controller.manifests.runtimes import read_runtime
from adapter.controller.plans import Autoscaling
from tests.unit.controller.manifests.written import runtime

NAMES = ("autoscalerClass", "metrics", "targetUtilizationPercentage", "min-scale", "max-scale")
SCALES = "serving.kserve.io/min-scale and serving.kserve.io/max-scale"
HPA = {"autoscalerClass": "hpa"}


def annotations(told: dict[str, str]) -> dict[str, str]:
    return {f"serving.kserve.io/{name}": value for name, value in told.items()}


def complaints(told: dict[str, str], **spec: Any) -> list[str]:
    """Of a runtime with these annotations, each as the last part of its field and the text."""
    read = read_runtime(runtime(annotations(told), **{"multiModel": True, **spec}))
    return [
        f"{each.field.partition('/')[2].rstrip(']') or each.field} {each.text}"
        for each in autoscaling_complaints(read)
    ]


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        pytest.param({}, None, id="nothing is asked for"),
        pytest.param(
            {"min-scale": "x", "max-scale": "-1", "metrics": "rps"}, None, id="without a class unread"
        ),
        pytest.param({"targetUtilizationPercentage": "100"}, None, id="a target without a class"),
        pytest.param(HPA, Autoscaling(), id="the defaults"),
        pytest.param(
            {
                **HPA,
                "metrics": "memory",
                "targetUtilizationPercentage": "90",
                "min-scale": "2",
                "max-scale": "4",
            },
            Autoscaling(metric="memory", target_percent=90, replicas_min=2, replicas_max=4),
            id="all of it",
        ),
        pytest.param({**HPA, "max-scale": "+3"}, Autoscaling(replicas_max=3), id="the most alone"),
    ],
)
def test_what_is_asked_for(told: dict[str, str], asked: Autoscaling | None) -> None:
    assert autoscaling_in(annotations(told)) == (asked, ())
    assert complaints(told) == []


@pytest.mark.parametrize(
    ("told", "texts"),
    [
        pytest.param(
            {"autoscalerClass": "external"},
            ["autoscalerClass unknown autoscaler class [external]"],
            id="external",
        ),
        pytest.param(
            {"autoscalerClass": "none"},
            ["autoscalerClass [none] is not a supported autoscaler class type."],
            id="another class",
        ),
        pytest.param(
            {**HPA, "metrics": "rps"}, ["metrics [rps] is not a supported metric."], id="another metric"
        ),
        pytest.param({**HPA, "metrics": ""}, ["metrics [] is not a supported metric."], id="no metric"),
        *(
            pytest.param(
                {"targetUtilizationPercentage": target},
                [f"targetUtilizationPercentage must be a whole number from 1 to 100, not '{target}'"],
                id=f"target {target}",
            )
            for target in ("0", "101", "80%", "", "1.5")
        ),
        pytest.param({**HPA, "min-scale": "0"}, ["min-scale must be at least 1"], id="a least of 0"),
        pytest.param(
            {**HPA, "min-scale": "2"},
            ["max-scale must be at least serving.kserve.io/min-scale, 2; without it the most is 1"],
            id="a least alone",
        ),
        pytest.param(
            {**HPA, "min-scale": "x", "max-scale": "2147483648", "metrics": "gpu"},
            [
                "metrics [gpu] is not a supported metric.",
                "min-scale must be a whole number, at most 2147483647, not 'x'",
                "max-scale must be a whole number, at most 2147483647, not '2147483648'",
            ],
            id="every complaint at once",
        ),
    ],
)
def test_what_is_refused(told: dict[str, str], texts: list[str]) -> None:
    asked, _ = autoscaling_in(annotations(told))
    assert asked is None
    assert complaints(told) == texts


@pytest.mark.parametrize(
    ("told", "texts"),
    [
        pytest.param(HPA, [f"spec.replicas must not be set with the autoscaler class hpa; say {SCALES}"]),
        pytest.param({}, []),
    ],
    ids=["with an autoscaler", "without one"],
)
def test_replicas_are_said_in_one_way(told: dict[str, str], texts: list[str]) -> None:
    assert complaints(told, replicas=2) == texts


def test_a_runtime_for_one_model_is_left_alone() -> None:
    assert complaints({"autoscalerClass": "none"}, multiModel=False) == []


@given(st.dictionaries(st.sampled_from([*annotations(dict.fromkeys(NAMES, ""))]), st.text(max_size=4)))
def test_whatever_is_annotated_is_an_autoscaler_or_complaints(told: dict[str, str]) -> None:
    asked, found = autoscaling_in({**told, **annotations(HPA)})
    assert (asked is None) is bool(found)
