import pytest

from adapter.controller.statuses.pauses import pause_s
from adapter.controller.statuses.standing import Failure, ModelState, Observed, Standing
from adapter.controller.verdicts import MeshAway, NameTaken, SpecInvalid
from adapter.domain.status import ModelReport, ModelStatus
from tests.unit.controller.statuses.status_builders import (
    NOW,
    NOW_MS,
    a_copy,
    loaded,
    observed,
    reported,
    told,
)

LOADING = Standing(active=ModelState.LOADING, available=True)
GONE = MeshAway(no_pods=True)


def loading_for(seconds: float) -> ModelReport:
    return told(ModelStatus.LOADING, copies=(a_copy(ms=NOW_MS - int(seconds * 1000)),))


def waiting_since(time: str) -> Standing:
    return Standing(failure=Failure(reason="RuntimeUnhealthy", time=time))


@pytest.mark.parametrize(
    ("standing", "seen", "pause"),
    [
        pytest.param(Standing(active=ModelState.LOADED), observed(reported(loaded())), None, id="steady"),
        pytest.param(LOADING, observed(reported(loading_for(0))), 1.0, id="loading began"),
        pytest.param(LOADING, observed(reported(loading_for(8))), 2.0, id="loading for a while"),
        pytest.param(LOADING, observed(reported(loading_for(900))), 5.0, id="loading for long"),
        pytest.param(
            Standing(active=ModelState.LOADED, target=ModelState.LOADING),
            observed(reported(loaded(), loading_for(0))),
            1.0,
            id="the target is loading",
        ),
        pytest.param(waiting_since(NOW), observed(GONE), 3.0, id="waiting for a runtime"),
        pytest.param(waiting_since("2025-10-09T08:53:00Z"), observed(GONE), 5.0, id="for 20 s"),
        pytest.param(waiting_since("2025-10-08T00:00:00Z"), observed(GONE), 30.0, id="since yesterday"),
        pytest.param(waiting_since("?"), observed(GONE), 3.0, id="nobody knows since when"),
        pytest.param(Standing(), observed(NameTaken()), 15.0, id="name taken"),
        pytest.param(Standing(), observed(MeshAway(no_pods=False)), 5.0, id="the mesh fails"),
        pytest.param(Standing(), observed(SpecInvalid(message="no")), None, id="until it is mended"),
        pytest.param(Standing(), observed(reported(None)), 3.0, id="not registered yet"),
        pytest.param(Standing(), observed(GONE, asleep=True), None, id="asleep"),
    ],
)
def test_it_is_looked_at_again(standing: Standing, seen: Observed, pause: float | None) -> None:
    assert pause_s(standing, seen) == pause
