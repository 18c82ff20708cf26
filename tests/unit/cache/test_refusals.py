import pytest

from adapter.cache.bounds import CacheBounds
from adapter.cache.copies import Bound
from adapter.cache.refusals import all_pinned, gone, no_room, too_big
from adapter.domain.errors import Code, ModelNotFound
from adapter.domain.ids import ModelId

IRIS = ModelId("iris")


def busy(bound: Bound) -> str:
    error = no_room(
        IRIS,
        needs_bytes=700,
        missing_bytes=300,
        room_bytes=1000,
        bound=bound,
        guarded_for_s=4.2,
        bounds=CacheBounds(churn_factor=10.0, waiting_for_room_s_max=30.0),
    )
    assert error.code is Code.RESOURCE_EXHAUSTED
    return str(error)


@pytest.mark.parametrize("word", ["iris", "7", "5", "CONTAINER_MEM_REQ_BYTES"])
def test_a_model_too_big_is_told_with_what_to_do(word: str) -> None:
    assert word in str(too_big(IRIS, needs_bytes=7, room_bytes=5))


def test_what_was_missing_is_told_with_the_figures() -> None:
    told = busy(Bound(pinned_bytes=0, in_use_bytes=600, guarded_bytes=0))
    assert "iris needs 700 bytes, and found no room within 30 s: 300 are missing" in told
    assert "600 of 1000 bytes are in use by requests" in told
    assert "pinned" not in told
    assert "a moment ago" not in told


def test_what_was_loaded_a_moment_ago_and_what_is_pinned_is_told() -> None:
    told = busy(Bound(pinned_bytes=200, in_use_bytes=0, guarded_bytes=800))
    assert (
        "800 are models loaded a moment ago, which are kept for 10 times as long as their loads took" in told
    )
    assert "the last for 4.2 s more" in told
    assert "200 are models that are pinned here" in told


def test_a_cache_full_of_what_is_pinned_is_told_with_the_cure() -> None:
    told = str(all_pinned(IRIS, needs_bytes=700, pinned_bytes=900, room_bytes=1000))
    assert "900 of 1000 bytes are taken by models that are pinned here; unpin some" in told


@pytest.mark.parametrize(
    ("unregistered", "because", "text"),
    [
        pytest.param(True, "", "was unregistered while", id="unregistered"),
        pytest.param(False, "", "was unloaded on demand while", id="unloaded"),
        pytest.param(False, "scaled down", "was scaled down while", id="with a reason"),
    ],
)
def test_who_waited_for_what_goes_is_told_why(unregistered: bool, because: str, text: str) -> None:
    error = gone(IRIS, unregistered=unregistered, because=because)
    assert text in str(error)
    assert isinstance(error, ModelNotFound) == unregistered
