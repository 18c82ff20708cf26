from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.controller.statuses.difference import difference
from adapter.controller.statuses.isvc_status import isvc_status, read_standing
from adapter.controller.statuses.standing import ModelState, Observed, Standing
from adapter.controller.verdicts import MeshAway, NameTaken, SpecInvalid
from tests.unit.controller.statuses.status_builders import (
    NEW,
    NO_RUNTIME,
    NOW,
    NOW_MS,
    SERVED,
    failed,
    loaded,
    loading,
    observed,
    reported,
    written,
)

LOADED: Final = observed(reported(loaded()))
FAILING: Final = observed(reported(failed("INTERNAL: no such file")))
GRPC: Final = "grpc://modelmesh-serving.ns:8033"
EARLIER: Final = "2025-10-01T00:00:00Z"


def after(status: object, seen: Observed) -> Any:
    return isvc_status({"status": status}, seen).status


def test_a_loaded_model_is_ready_and_has_addresses() -> None:
    assert after(None, replace(LOADED, generation=3)) == {
        "url": GRPC,
        "components": {
            "predictor": {
                "url": GRPC,
                "grpcUrl": GRPC,
                "restUrl": "http://modelmesh-serving.ns:8008",
            }
        },
        "conditions": [
            {"type": "PredictorReady", "status": "True", "lastTransitionTime": NOW},
            {"type": "Ready", "status": "True", "lastTransitionTime": NOW},
        ],
        "modelStatus": {
            "transitionStatus": "UpToDate",
            "states": {"activeModelState": "Loaded", "targetModelState": ""},
            "copies": {"failedCopies": 0, "totalCopies": 1},
            "lastFailureInfo": None,
        },
        "observedGeneration": 3,
    }


def test_without_rest_there_is_no_rest_address() -> None:
    served = replace(SERVED, rest_url="")
    assert after(None, replace(LOADED, served=served))["components"]["predictor"]["restUrl"] is None


def test_a_failed_load_takes_the_addresses_away_and_says_why() -> None:
    before = written(after(None, LOADED))
    status = after(before, FAILING)
    assert status["url"] is None
    assert set(status["components"]["predictor"].values()) == {None}
    assert status["modelStatus"]["lastFailureInfo"] == {
        "reason": "ModelLoadFailed",
        "message": "INTERNAL: no such file",
        "modelRevisionName": NEW,
        "location": "abc-12345",
        "time": NOW,
    }
    for condition in status["conditions"]:
        assert (condition["status"], condition["reason"]) == ("False", "ModelLoadFailed")
        assert condition["message"] == "INTERNAL: no such file"


def test_a_refusal_lists_every_runtime() -> None:
    status = after(None, observed(MeshAway(no_pods=True), selection=NO_RUNTIME))
    assert status["conditions"][1]["message"] == (
        "No ServingRuntime supports specified model type and/or protocol: mlserver-1.x: it does not serve foo"
    )


def test_what_cannot_be_converted_says_so_in_the_status() -> None:
    text = "spec.predictor.model.storageUri: could not parse storageUri"
    status = after(None, observed(SpecInvalid(message=text), target="", selection=None))
    assert status["modelStatus"]["transitionStatus"] == "InvalidSpec"
    assert status["modelStatus"]["lastFailureInfo"]["reason"] == "InvalidPredictorSpec"
    assert status["modelStatus"]["lastFailureInfo"]["message"] == text
    assert status["conditions"][1]["message"] == text


def test_what_others_wrote_is_left_alone() -> None:
    theirs = {"type": "TransformerReady", "status": "True", "lastTransitionTime": EARLIER}
    before = {
        "address": {"url": "http://a"},
        "components": {"transformer": {"url": "http://t"}, "predictor": {"latestReadyRevision": "r"}},
        "conditions": [theirs, {"type": "Ready", "status": "True", "lastTransitionTime": EARLIER}],
    }
    patch = difference(before, after(before, LOADED))
    assert "address" not in patch
    assert patch["components"] == {
        "predictor": {"url": GRPC, "grpcUrl": GRPC, "restUrl": "http://modelmesh-serving.ns:8008"}
    }
    assert patch["conditions"] == [
        theirs,
        {"type": "Ready", "status": "True", "lastTransitionTime": EARLIER},
        {"type": "PredictorReady", "status": "True", "lastTransitionTime": NOW},
    ]


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(LOADED, id="loaded"),
        pytest.param(FAILING, id="failed"),
        pytest.param(observed(reported(loaded(), loading())), id="on its way"),
        pytest.param(observed(NameTaken()), id="name taken"),
        pytest.param(observed(SpecInvalid(message="no")), id="invalid"),
        pytest.param(observed(MeshAway(no_pods=True), instances=0), id="no pods"),
        pytest.param(observed(MeshAway(no_pods=False)), id="the mesh does not answer"),
    ],
)
def test_the_same_again_is_neither_written_nor_told(seen: Observed) -> None:
    there = written(after(None, seen))
    patch = isvc_status({"status": there}, replace(seen, now_ms=NOW_MS + 600_000))
    assert difference(there, patch.status) == {}
    assert patch.events == ()


def test_it_stands_as_its_status_says() -> None:
    there = written(after(None, observed(reported(loaded(), loading()))))
    standing = read_standing({"status": there})
    assert (standing.active, standing.target) == (ModelState.LOADED, ModelState.LOADING)
    assert standing.available
    assert read_standing({}) == read_standing({"status": {"conditions": 7}}) == Standing()


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "Loaded", "True", "PredictorReady"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["modelStatus", "states", "lastFailureInfo", "reason", "conditions", "type", "status"]
            ),
            inner,
        )
    ),
    max_leaves=10,
)


@given(json, st.sampled_from([LOADED, FAILING, observed(MeshAway(no_pods=False))]))
def test_whatever_stands_in_a_status_a_new_one_comes_out(status: object, seen: Observed) -> None:
    assert ModelState(after(status, seen)["modelStatus"]["states"]["activeModelState"])
