import pytest

from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId


@pytest.mark.parametrize(
    ("pins", "keeps", "free"),
    [
        pytest.param(0, 0, True, id="neither"),
        pytest.param(1, 0, False, id="in use"),
        pytest.param(0, 1, False, id="kept by a rule"),
        pytest.param(2, 1, False, id="both"),
    ],
)
def test_a_model_is_free_when_nobody_uses_it_and_nothing_keeps_it(pins: int, keeps: int, free: bool) -> None:
    assert Worth(model=ModelId("a"), used_s=0.0, pins=pins, keeps=keeps).is_free is free
