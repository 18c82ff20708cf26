from adapter.cache.entry import CacheEntry, Cause, EntryState
from adapter.cache.failed import FailedLoads
from adapter.cache.failures import Failure
from adapter.cache.worth import Worth
from adapter.domain.errors import CacheBusy, ModelCorrupt
from adapter.domain.ids import ModelId

IRIS = ModelId("iris")


def add(failed: FailedLoads, model: str, *, at_s: float = 0.0, error: type = ModelCorrupt) -> CacheEntry:
    worth = Worth(model=ModelId(model), used_s=-1e6)
    entry = CacheEntry(type="t", requested_s=0.0, waiting=True, worth=worth, state=EntryState.FAILED)
    failed.add(entry, Failure(error=error(f"{model} is broken"), at_s=at_s))
    return entry


def test_a_failure_is_recalled_until_it_expires() -> None:
    failed = FailedLoads(expiry_s=900, failed_max=2)
    entry = add(failed, "iris")
    assert failed.recall(IRIS, 899.0) == entry.failure
    assert failed.recall(IRIS, 900.0) is None
    assert failed.recall(ModelId("mnist"), 0.0) is None
    assert (failed.outdated(899.0), failed.outdated(900.0)) == ([], [(entry, Cause.EXPIRED)])


def test_a_use_brings_the_next_try_nearer() -> None:
    failed = FailedLoads(expiry_s=900, failed_max=2)
    failed.use(add(failed, "iris"))
    assert failed.recall(IRIS, 449.0) is not None
    assert failed.recall(IRIS, 450.0) is None


def test_the_oldest_is_crowded_out() -> None:
    failed = FailedLoads(expiry_s=900, failed_max=2)
    entries = [add(failed, name, at_s=at_s) for at_s, name in enumerate("abc")]
    assert failed.outdated(3.0) == [(entries[0], Cause.CROWDED_FAILURES)]
    failed.discard(entries[0])
    failed.check()
    assert list(failed) == entries[1:]


def test_what_is_not_remembered_is_outdated_at_once() -> None:
    failed = FailedLoads(expiry_s=900, failed_max=2)
    entry = add(failed, "iris", error=CacheBusy)
    assert failed.outdated(0.0) == [(entry, Cause.EXPIRED)]
