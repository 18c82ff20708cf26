from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.controller.statuses.difference import difference
from adapter.controller.statuses.predictor_status import predictor_status, read_standing
from adapter.controller.statuses.standing import ModelState, Observed, Standing
from adapter.controller.verdicts import MeshAway, NameTaken, SpecInvalid
from adapter.domain.specs import FailureReason
from tests.unit.controller.statuses.status_builders import (
    NEW,
    NO_RUNTIME,
    NOW,
    NOW_MS,
    failed,
    loaded,
    observed,
    reported,
    written,
)

CREATED: Final = {
    "available": False,
    "transitionStatus": "UpToDate",
    "activeModelState": "Pending",
    "targetModelState": "",
    "failedCopies": 0,
    "totalCopies": 0,
    "grpcEndpoint": "",
    "httpEndpoint": "",
}
"""As the kind's schema has it for a new object."""
FAILING: Final = observed(reported(failed("INTERNAL: no such file")))


def after(status: object, seen: Observed) -> Any:
    return predictor_status({"status": status}, seen).status


def test_a_loaded_model_is_available() -> None:
    assert after(CREATED, observed(reported(loaded()))) == {
        "available": True,
        "transitionStatus": "UpToDate",
        "activeModelState": "Loaded",
        "targetModelState": "",
        "failedCopies": 0,
        "totalCopies": 1,
        "lastFailureInfo": None,
        "grpcEndpoint": "grpc://modelmesh-serving.ns:8033",
        "httpEndpoint": "http://modelmesh-serving.ns:8008",
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": NOW}],
    }


def test_a_failed_load_is_told_with_its_place_and_time() -> None:
    status = after(CREATED, FAILING)
    assert status["lastFailureInfo"] == {
        "reason": "ModelLoadFailed",
        "message": "INTERNAL: no such file",
        "modelId": NEW,
        "location": "abc-12345",
        "time": NOW,
    }
    assert (status["available"], status["failedCopies"], status["totalCopies"]) == (False, 1, 1)
    assert status["conditions"][0]["reason"] == "ModelLoadFailed"


def test_a_failure_that_is_over_goes_from_the_status() -> None:
    failing = after(CREATED, FAILING)
    assert difference(failing, after(failing, observed(reported(loaded()))))["lastFailureInfo"] is None


def test_a_refusal_has_modelmesh_s_words_and_beside_them_every_runtime() -> None:
    status = after(CREATED, observed(MeshAway(no_pods=True), selection=NO_RUNTIME))
    assert status["lastFailureInfo"]["message"] == NO_RUNTIME.message
    assert status["conditions"][0]["message"].endswith("mlserver-1.x: it does not serve foo")


def test_a_disabled_runtime_is_told_in_words_that_the_schema_knows() -> None:
    disabled = replace(
        NO_RUNTIME, reason=FailureReason.RUNTIME_DISABLED, message="Specified runtime is disabled"
    )
    seen = observed(reported(None), selection=disabled)
    once = written(after(CREATED, seen))
    assert once["lastFailureInfo"]["reason"] == "NoSupportingRuntime"
    assert difference(once, after(once, replace(seen, now_ms=NOW_MS + 60_000))) == {}


def test_a_spec_that_cannot_be_read_is_told_without_an_id() -> None:
    status = after(
        CREATED, observed(SpecInvalid(message="spec.modelType: is missing"), target="", selection=None)
    )
    assert status["transitionStatus"] == "InvalidSpec"
    assert status["lastFailureInfo"]["reason"] == "InvalidPredictorSpec"
    assert status["lastFailureInfo"]["message"] == "spec.modelType: is missing"
    assert status["lastFailureInfo"]["modelId"] is None


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(observed(reported(loaded())), id="loaded"),
        pytest.param(FAILING, id="failed"),
        pytest.param(observed(NameTaken()), id="name taken"),
        pytest.param(observed(SpecInvalid(message="no")), id="invalid"),
        pytest.param(observed(MeshAway(no_pods=True), instances=0), id="no pods"),
    ],
)
def test_the_same_again_is_neither_written_nor_told(seen: Observed) -> None:
    there = written(after(CREATED, seen))
    patch = predictor_status({"status": there}, replace(seen, now_ms=NOW_MS + 600_000))
    assert difference(there, patch.status) == {}
    assert patch.events == ()


def test_when_to_look_again_and_what_is_worth_an_event_come_along() -> None:
    patch = predictor_status({"status": CREATED}, observed(MeshAway(no_pods=True), instances=0))
    assert patch.look_again_s == 3.0
    assert patch.events == (("Warning", "RuntimeUnhealthy", "Waiting for runtime Pod to become available"),)


def test_a_new_object_stands_as_it_is_created() -> None:
    assert read_standing({"status": CREATED}) == read_standing({}) == Standing()


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "Loaded", "InProgress"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["status", "activeModelState", "lastFailureInfo", "reason", "conditions", "type"]
            ),
            inner,
        )
    ),
    max_leaves=10,
)


@given(json, st.sampled_from([observed(reported(loaded())), FAILING, observed(MeshAway(no_pods=False))]))
def test_whatever_stands_in_a_status_a_new_one_comes_out(status: object, seen: Observed) -> None:
    assert ModelState(after(status, seen)["activeModelState"])
