import pytest

from tests.kubelet.container import BackOff
from tests.kubelet.probes import Patience, Verdict


def test_patience_is_what_the_api_has_where_nothing_is_said() -> None:
    assert Patience.of({}) == Patience(delay_s=0, period_s=10, timeout_s=1, successes=1, failures=3)


def test_so_many_in_a_row_count() -> None:
    verdict = Verdict(Patience(failures=3, successes=2), at_first=False)
    heard = [verdict.heard(good=good) for good in (True, True, False, False, True, False, False, False)]
    assert heard == [False, True, False, False, False, False, False, True]
    assert not verdict.good


@pytest.mark.parametrize(("failures", "pause_s"), [(1, 0), (2, 10), (3, 20), (6, 160), (7, 300), (1000, 300)])
def test_pauses_double_up_to_a_bound(failures: int, pause_s: float) -> None:
    assert BackOff().pause_s(failures) == pause_s
