from typing import Any

import pytest

from adapter.controller.manifests.autoscaling_rules import autoscaling_complaints
from adapter.controller.manifests.runtimes import read_runtime
from tests.unit.controller.manifests.written import runtime

SCALES = "serving.kserve.io/min-scale and serving.kserve.io/max-scale"


def told(annotations: dict[str, str], **spec: Any) -> list[str]:
    named = {f"serving.kserve.io/{name}": value for name, value in annotations.items()}
    read = read_runtime(runtime(named, **{"multiModel": True, **spec}))
    return [
        f"{each.field.partition('/')[2] or each.field} {each.text}" for each in autoscaling_complaints(read)
    ]


@pytest.mark.parametrize(
    "annotations",
    [
        pytest.param({}, id="none"),
        pytest.param({"autoscalerClass": "hpa"}, id="hpa"),
        pytest.param({"autoscalerClass": "hpa", "metrics": "memory"}, id="memory"),
        pytest.param({"autoscalerClass": "hpa", "min-scale": "2", "max-scale": "4"}, id="both bounds"),
        pytest.param({"targetUtilizationPercentage": "100"}, id="a target without a class"),
        pytest.param({"min-scale": "none", "max-scale": "-1", "metrics": "rps"}, id="unread without a class"),
    ],
)
def test_what_the_webhook_allows(annotations: dict[str, str]) -> None:
    assert told(annotations) == []


@pytest.mark.parametrize(
    ("annotations", "spec", "complaints"),
    [
        pytest.param(
            {"autoscalerClass": "external"},
            {},
            ["autoscalerClass] unknown autoscaler class [external]"],
            id="external",
        ),
        pytest.param(
            {"autoscalerClass": "none"},
            {},
            ["autoscalerClass] [none] is not a supported autoscaler class type."],
            id="another class",
        ),
        pytest.param(
            {"autoscalerClass": "hpa", "metrics": "rps"},
            {},
            ["metrics] [rps] is not a supported metric."],
            id="metric",
        ),
        *(
            pytest.param(
                {"targetUtilizationPercentage": target},
                {},
                [f"targetUtilizationPercentage] must be a whole number from 1 to 100, not '{target}'"],
                id=f"target {target}",
            )
            for target in ("0", "101", "80%", "", "1.5")
        ),
        pytest.param(
            {"autoscalerClass": "hpa"},
            {"replicas": 2},
            [f"spec.replicas must not be set with the autoscaler class hpa; say {SCALES}"],
            id="replicas",
        ),
        pytest.param(
            {"autoscalerClass": "hpa", "min-scale": "0"},
            {},
            ["min-scale] must be at least 1"],
            id="a least of 0",
        ),
        pytest.param(
            {"autoscalerClass": "hpa", "min-scale": "2"},
            {},
            ["max-scale] must be at least serving.kserve.io/min-scale, 2; without it the most is 1"],
            id="a least alone",
        ),
        pytest.param(
            {"autoscalerClass": "hpa", "min-scale": "x", "max-scale": "y"},
            {},
            ["min-scale] must be a whole number, not 'x'", "max-scale] must be a whole number, not 'y'"],
            id="words",
        ),
    ],
)
def test_what_the_webhook_denies(
    annotations: dict[str, str], spec: dict[str, Any], complaints: list[str]
) -> None:
    assert told(annotations, **spec) == complaints


def test_a_runtime_for_one_model_is_left_alone() -> None:
    assert told({"autoscalerClass": "none"}, multiModel=False) == []
