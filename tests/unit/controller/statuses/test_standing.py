import pytest

from tests.unit.controller.statuses.status_builders import observed, reported


@pytest.mark.parametrize(
    ("instances", "asleep", "none"),
    [
        pytest.param(0, False, True, id="none is ready"),
        pytest.param(0, True, False, id="a request would wake one"),
        pytest.param(1, False, False, id="one is ready"),
        pytest.param(None, False, False, id="unknown"),
    ],
)
def test_nothing_could_serve_it_if_none_is_ready_and_none_would_wake(
    instances: int | None, asleep: bool, none: bool
) -> None:
    assert observed(reported(None), instances=instances, asleep=asleep).has_no_instance is none
