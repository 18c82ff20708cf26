import pytest

from adapter.cache.failures import Failure
from adapter.domain.errors import AdapterError, CacheBusy, DiskFull, ModelCorrupt, StorageUnreachable


def failure(error: AdapterError, *, used_s: float = 0.0) -> Failure:
    return Failure(error=error, at_s=1000.0).dated(expiry_s=900, used_s=used_s)


@pytest.mark.parametrize(
    ("error", "used_s", "lasts_s"),
    [
        pytest.param(ModelCorrupt("m"), 0.0, 900, id="as long as the setting says"),
        pytest.param(ModelCorrupt("m"), 819.0, 900, id="unused for just too long"),
        pytest.param(ModelCorrupt("m"), 820.0, 450, id="half of it for a model in use"),
        pytest.param(StorageUnreachable("m"), 0.0, 10, id="what mends itself soon"),
        pytest.param(DiskFull("m"), 1000.0, 10, id="that is not halved"),
        pytest.param(CacheBusy("m"), 0.0, 0, id="not at all"),
    ],
)
def test_how_long_a_failure_counts(error: AdapterError, used_s: float, lasts_s: float) -> None:
    dated = failure(error, used_s=used_s)
    assert dated.expires_s == 1000 + lasts_s
    assert not dated.counts(dated.expires_s)
    assert dated.counts(1000.0) == (lasts_s > 0)


def test_a_use_halves_the_time_once() -> None:
    used = failure(ModelCorrupt("m")).in_use(expiry_s=900)
    assert used.expires_s == used.in_use(expiry_s=900).expires_s == 1450


def test_a_use_does_not_change_what_has_a_time_of_its_own() -> None:
    dated = failure(StorageUnreachable("m"))
    assert dated.in_use(expiry_s=900) == dated


def test_it_says_code_and_text_and_keeps_no_frames() -> None:
    with pytest.raises(ModelCorrupt) as raised:
        raise ModelCorrupt("iris is broken")
    dated = failure(raised.value)
    assert dated.text == "DATA_LOSS: iris is broken"
    assert type(dated.error) is ModelCorrupt
    assert dated.error.__traceback__ is None
