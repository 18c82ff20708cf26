import pytest

from adapter.instance.garbage import GROWTH_MIN, Keeping


@pytest.fixture
def frozen() -> list[int]:
    return []


@pytest.fixture
def keeping(frozen: list[int]) -> Keeping:
    return Keeping(lambda: frozen.append(1))


@pytest.mark.parametrize(
    ("seen", "times"),
    [
        pytest.param([GROWTH_MIN - 1], 0, id="too few"),
        pytest.param([GROWTH_MIN], 1, id="enough"),
        pytest.param([GROWTH_MIN] * 5, 1, id="once for the same"),
        pytest.param([20_000, 21_000], 1, id="too small a share"),
        pytest.param([20_000, 25_000], 2, id="again"),
        pytest.param([20_000, 15_000, 20_000, 15_000], 1, id="coming and going"),
    ],
)
def test_records_that_stay_are_kept(keeping: Keeping, frozen: list[int], seen: list[int], times: int) -> None:
    for records in seen:
        keeping.look(records, busy=False)
    assert len(frozen) == times


def test_nothing_is_done_while_they_still_come(keeping: Keeping, frozen: list[int]) -> None:
    keeping.look(20_000, busy=True)
    assert frozen == []
