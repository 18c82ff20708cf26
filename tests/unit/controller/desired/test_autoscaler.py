from adapter.controller.desired.autoscaler import autoscaler
from adapter.controller.plans import Autoscaling
from tests.unit.controller.desired.examples import RUNTIME_PLANS

PLAN = RUNTIME_PLANS["foreign-adapter"]


def test_the_most_is_never_less_than_the_least() -> None:
    spec = autoscaler(PLAN, Autoscaling(replicas_min=4))["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (4, 4)


def test_it_has_the_runtimes_labels_and_annotations_but_for_what_kubectl_keeps_there() -> None:
    metadata = autoscaler(PLAN, Autoscaling())["metadata"]
    assert (
        metadata["labels"].items()
        >= {
            "team": "serving",
            "serving.kserve.io/inferenceservice": "triton-2.x",
            "component": "predictor",
        }.items()
    )
    assert "kubectl.kubernetes.io/last-applied-configuration" not in metadata["annotations"]
    assert metadata["annotations"]["serving.kserve.io/autoscalerClass"] == "hpa"
