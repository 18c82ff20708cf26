import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.controller.config import ControllerConfig
from adapter.controller.manifests.runtimes import read_runtime
from adapter.controller.webhooks.decide import (
    MUTATE_RUNTIME,
    VALIDATE_RUNTIME,
    Facts,
    decisions,
    mutate_runtime,
    validate_model,
    validate_runtime,
)
from tests.unit.controller.webhooks.words import NAMESPACE, a_review, a_runtime, annotated

FACTS = Facts(has_mesh=lambda namespace: namespace == NAMESPACE)
BAD = a_runtime(containers=[{"name": "mlserver"}, {"name": "puller"}])


def complaints(review: dict[str, Any], facts: Facts = FACTS) -> list[str]:
    response = validate_runtime(review, facts)["response"]
    if response["allowed"]:
        return []
    return [f"{each['field']}: {each['message']}" for each in response["status"]["details"]["causes"]]


def test_a_sound_runtime_is_allowed() -> None:
    assert complaints(a_review(a_runtime())) == []


@pytest.mark.parametrize(
    ("runtime", "complaint"),
    [
        pytest.param(
            annotated(a_runtime(), autoscalerClass="external"),
            "unknown autoscaler class [external]",
            id="class",
        ),
        pytest.param(
            annotated(a_runtime(), autoscalerClass="none"),
            "[none] is not a supported autoscaler class type.",
            id="another class",
        ),
        pytest.param(
            annotated(a_runtime(), autoscalerClass="hpa", metrics="gpu"),
            "[gpu] is not a supported metric.",
            id="metric",
        ),
        pytest.param(
            annotated(a_runtime(), targetUtilizationPercentage="101"),
            "targetUtilizationPercentage]: must be",
            id="target",
        ),
        pytest.param(
            annotated(a_runtime(replicas=2), autoscalerClass="hpa"), "spec.replicas: ", id="replicas"
        ),
        pytest.param(annotated(a_runtime(), autoscalerClass="hpa", min_scale="2"), "max-scale", id="scale"),
        pytest.param(BAD, "spec.containers[1].name: container name puller is reserved", id="reserved"),
        pytest.param(a_runtime(replicas="two"), "spec.replicas: ", id="misread"),
        pytest.param(
            a_runtime(workerSpec={"containers": [], "tensorParallelSize": 0}), "cannot be less", id="worker"
        ),
        pytest.param(
            a_runtime(
                supportedModelFormats=[
                    {"name": "onnx", "autoSelect": True, "priority": 1},
                    {"name": "onnx", "version": "1", "autoSelect": True, "priority": 2},
                ]
            ),
            "different priorities assigned for the model format onnx",
            id="priorities",
        ),
    ],
)
def test_a_runtime_that_could_not_run_is_denied(runtime: dict[str, Any], complaint: str) -> None:
    assert any(complaint in each for each in complaints(a_review(runtime)))


def test_every_complaint_is_told_at_once() -> None:
    runtime = annotated(BAD, autoscalerClass="none", targetUtilizationPercentage="0")
    assert len(complaints(a_review(runtime))) == 3


@pytest.mark.parametrize(
    "review",
    [
        pytest.param(a_review({**BAD, "spec": {**BAD["spec"], "multiModel": False}}), id="KServe's"),
        pytest.param(a_review({**BAD, "spec": None}), id="without a spec"),
        pytest.param(a_review(BAD, namespace="elsewhere"), id="in a namespace without a mesh"),
        pytest.param(a_review(BAD, BAD), id="as it was before"),
        pytest.param(
            a_review({**BAD, "metadata": {"name": "mine", "deletionTimestamp": "now"}}, a_runtime()),
            id="about to go",
        ),
    ],
)
def test_what_is_not_ours_is_allowed(review: dict[str, Any]) -> None:
    assert complaints(review) == []


@pytest.mark.parametrize(
    "review",
    [
        pytest.param(a_review(a_runtime(multiModel=False)), id="KServe's"),
        pytest.param(a_review(a_runtime(), namespace="elsewhere"), id="in a namespace without a mesh"),
    ],
)
def test_what_is_not_ours_stays_as_it_is(review: dict[str, Any]) -> None:
    assert mutate_runtime(review, FACTS)["response"] == {"uid": "a-uid", "allowed": True}


def test_a_runtime_of_the_cluster_is_ours() -> None:
    review = a_review({**BAD, "kind": "ClusterServingRuntime"}, namespace="")
    assert complaints(review) == ["spec.containers[1].name: container name puller is reserved"]


def test_other_runtimes_of_the_scope_matter() -> None:
    formats = [{"name": "onnx", "autoSelect": True, "priority": 1}]
    first = a_runtime("first", supportedModelFormats=formats)
    first["metadata"]["namespace"] = NAMESPACE
    facts = Facts(runtimes=[read_runtime(first)])
    second = a_runtime("second", supportedModelFormats=formats)
    (complaint,) = complaints(a_review(second), facts)
    assert "same priority assigned for the model format onnx in the runtimes first and second" in complaint
    assert complaints(a_review(second, namespace="elsewhere"), facts) == []


def test_the_configuration_matters() -> None:
    (complaint,) = complaints(a_review(a_runtime()), Facts(config=ControllerConfig(built_in_server_types=())))
    assert complaint.startswith("spec.builtInAdapter.serverType: unrecognized built-in runtime server type")


def test_a_built_in_adapter_gets_its_port() -> None:
    response = mutate_runtime(a_review(a_runtime()), FACTS)["response"]
    assert json.loads(base64.b64decode(response["patch"])) == [
        {"op": "add", "path": "/spec/grpcEndpoint", "value": "port:8085"}
    ]
    for runtime in (a_runtime(grpcEndpoint="port:9000"), a_runtime(builtInAdapter=None)):
        assert "patch" not in mutate_runtime(a_review(runtime), FACTS)["response"]


def a_service(**predictor: Any) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "a", "annotations": {"serving.kserve.io/deploymentMode": "ModelMesh"}},
        "spec": {"predictor": predictor},
    }


def test_a_bad_model_is_allowed_and_warned_of() -> None:
    response = validate_model(a_review(a_service()), FACTS)["response"]
    assert response["allowed"]
    assert len(response["warnings"]) == 1
    elsewhere = validate_model(a_review(a_service(), namespace="elsewhere"), FACTS)["response"]
    assert "warnings" not in elsewhere


def test_a_sound_model_is_allowed() -> None:
    sound = a_service(sklearn={"storageUri": "s3://bucket/a.joblib"})
    assert validate_model(a_review(sound), FACTS)["response"] == {"uid": "a-uid", "allowed": True}


def test_each_path_has_its_decision_with_the_facts_of_the_moment() -> None:
    config = [ControllerConfig()]
    asked = decisions(lambda: Facts(config=config[0]))
    assert len(asked) == 4
    assert asked[VALIDATE_RUNTIME](a_review(a_runtime()))["response"]["allowed"]
    config[0] = ControllerConfig(built_in_server_types=())
    assert not asked[VALIDATE_RUNTIME](a_review(a_runtime()))["response"]["allowed"]
    assert "patch" in asked[MUTATE_RUNTIME](a_review(a_runtime()))["response"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["containers", "name", "builtInAdapter", "supportedModelFormats", "predictor"]),
            inner,
        )
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from([*a_runtime()["spec"], "predictor", "workerSpec"]), json_values))
def test_whatever_an_object_says_there_is_an_answer(spec: dict[str, Any]) -> None:
    runtime = a_review({**a_runtime(), "spec": {**spec, "multiModel": True}})
    for path, decide in decisions(lambda: FACTS).items():
        review = runtime if "servingruntime" in path else a_review({**a_service(), "spec": spec})
        assert isinstance(decide(review)["response"]["allowed"], bool)
