"""Every row of the reference's table of states (serving controller 5.4), and where selection knows better."""

import pytest

from adapter.controller.statuses.standing import ModelState
from adapter.controller.statuses.states import judged
from adapter.controller.statuses.states import told as state_of
from adapter.domain.specs import FailureReason
from adapter.domain.status import ModelReport, ModelStatus
from tests.unit.controller.statuses.status_builders import (
    NO_INSTANCE,
    NO_RUNTIME,
    failed,
    loaded,
    loading,
    no_instance,
    not_loaded,
    observed,
    reported,
    told,
)

S, R = ModelState, FailureReason
UNSUPPORTED = "No ServingRuntime supports specified model type and/or protocol"
WAITING = "Waiting for supporting runtime Pod to become available"


@pytest.mark.parametrize(
    ("report", "state", "reason", "message"),
    [
        pytest.param(None, S.PENDING, None, "", id="nothing is told"),
        pytest.param(not_loaded(), S.STANDBY, None, "", id="not loaded"),
        pytest.param(
            told(ModelStatus.NOT_LOADED, "old"), S.STANDBY, R.MODEL_LOAD_FAILED, "old", id="it failed"
        ),
        pytest.param(loading(), S.LOADING, None, "", id="loading"),
        pytest.param(told(ModelStatus.LOADING, "old"), S.LOADING, R.MODEL_LOAD_FAILED, "old", id="once more"),
        pytest.param(loaded(), S.LOADED, None, "", id="loaded"),
        pytest.param(
            told(ModelStatus.LOADED, "old"), S.LOADED, R.MODEL_LOAD_FAILED, "old", id="here, not there"
        ),
        pytest.param(failed("no file"), S.FAILED, R.MODEL_LOAD_FAILED, "no file", id="failed"),
        pytest.param(
            told(ModelStatus.LOADING_FAILED), S.FAILED, R.MODEL_LOAD_FAILED, "", id="nobody says why"
        ),
        pytest.param(no_instance(), S.LOADING, R.RUNTIME_UNHEALTHY, WAITING, id="its runtime is not up"),
        pytest.param(
            failed(f"RESOURCE_EXHAUSTED: {NO_INSTANCE}mt:a: [mt:a]"),
            S.LOADING,
            R.RUNTIME_UNHEALTHY,
            WAITING,
            id="the same with its code",
        ),
        pytest.param(
            no_instance("rt:x: [_no_runtime]"),
            S.FAILED,
            R.RUNTIME_NOT_RECOGNIZED,
            "Specified runtime name not recognized",
            id="no runtime of this name",
        ),
        pytest.param(
            no_instance("mt:foo|pv:v1: [_no_runtime]"),
            S.FAILED,
            R.NO_SUPPORTING_RUNTIME,
            UNSUPPORTED,
            id="no runtime of this type",
        ),
        pytest.param(told(ModelStatus.NOT_FOUND), S.LOADED, None, "", id="not found: as it was"),
        pytest.param(told(ModelStatus.UNKNOWN), S.LOADED, None, "", id="unknown: as it was"),
    ],
)
def test_the_mesh_s_words_are_a_state(
    report: ModelReport | None, state: ModelState, reason: FailureReason | None, message: str
) -> None:
    found = state_of(report, S.LOADED)
    assert found.state is state
    assert (found.note.reason if found.note else None) is reason
    assert (found.note.message if found.note else "") == message


def test_a_mesh_that_has_not_heard_of_the_runtime_yet_is_waited_for() -> None:
    found = judged(no_instance("mt:foo: [_no_runtime]"), S.PENDING, observed(reported(None)))
    assert found.state is S.LOADING
    assert found.is_waiting


@pytest.mark.parametrize(
    "report", [None, not_loaded(), loading(), failed()], ids=["-", "no", "soon", "failed"]
)
def test_what_no_runtime_supports_has_failed_whatever_the_mesh_says(report: ModelReport | None) -> None:
    found = judged(report, S.PENDING, observed(reported(report), selection=NO_RUNTIME))
    assert found.state is S.FAILED
    assert found.note is not None
    assert (found.note.reason, found.note.message) == (R.NO_SUPPORTING_RUNTIME, UNSUPPORTED)


def test_what_is_loaded_is_loaded_though_its_runtime_is_going() -> None:
    assert judged(loaded(), S.LOADED, observed(reported(loaded()), selection=NO_RUNTIME)).state is S.LOADED
    assert not judged(loaded(), S.LOADED, observed(reported(loaded()), instances=0)).is_waiting


@pytest.mark.parametrize(
    ("asleep", "waits"), [pytest.param(False, True, id="gone"), pytest.param(True, False, id="asleep")]
)
def test_a_model_that_stands_by_waits_if_its_runtime_has_no_instance(asleep: bool, waits: bool) -> None:
    found = judged(not_loaded(), S.LOADED, observed(reported(None), instances=0, asleep=asleep))
    assert found.state is S.STANDBY
    assert found.is_waiting is waits
