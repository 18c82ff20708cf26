import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.cache.sizes import TYPES_MAX, SizePredictor

ROOM = 1_000_000


def sizes(default: int = 5000, **learnt: tuple[int | None, int]) -> SizePredictor:
    """Told of one model of each type: its size on disk and in memory."""
    predictor = SizePredictor(default)
    for type_, (disk, size) in learnt.items():
        predictor.learn(type_, disk, size_bytes=size)
    return predictor


@pytest.mark.parametrize(
    ("disk", "predicted"),
    [
        pytest.param(1000, 1250, id="a quarter more than the files"),
        pytest.param(1001, 1252, id="rounded up"),
        pytest.param(None, 5000, id="the default when the files are not known"),
        pytest.param(0, 1, id="at least a byte"),
        pytest.param(900_000, ROOM, id="a guess does not say that it cannot fit"),
        pytest.param(ROOM + 1, ROOM + 1, id="files bigger than the room do"),
    ],
)
def test_what_is_predicted_while_nothing_is_known(disk: int | None, predicted: int) -> None:
    assert sizes().predict("t", disk, room_bytes=ROOM) == predicted


def test_what_was_measured_is_expected_again() -> None:
    assert sizes(t=(1000, 4000)).predict("t", 1100, room_bytes=ROOM) == 4400


def test_each_type_is_learnt_of_by_itself() -> None:
    assert sizes(t=(1000, 4000)).predict("other", 1000, room_bytes=ROOM) == 1250


def test_a_learnt_ratio_may_say_that_a_model_cannot_fit() -> None:
    assert sizes(t=(1000, 4000)).predict("t", 1000, room_bytes=3999) == 4000


def test_a_small_model_says_nothing_of_a_big_one() -> None:
    assert sizes(t=(1000, 50_000)).predict("t", 100_000, room_bytes=ROOM) == 125_000


def test_the_nearest_magnitude_is_taken() -> None:
    predictor = sizes()
    predictor.learn("t", 1000, size_bytes=9000)
    predictor.learn("t", 4000, size_bytes=8000)
    assert predictor.predict("t", 3000, room_bytes=ROOM) == 6000


def test_noise_is_predicted_too_big_rather_than_too_small() -> None:
    predictor = sizes()
    for size in (2000, 2200, 2000, 2100, 2050):
        predictor.learn("t", 1000, size_bytes=size)
    assert 2150 < predictor.predict("t", 1000, room_bytes=ROOM) <= 2200


def test_one_odd_model_is_forgotten_in_the_end() -> None:
    predictor = sizes(t=(1000, 9000))
    for _ in range(200):
        predictor.learn("t", 1000, size_bytes=2000)
    assert predictor.predict("t", 1000, room_bytes=ROOM) < 2010


def test_of_models_without_files_the_mean_is_kept() -> None:
    predictor = sizes(t=(None, 1000))
    predictor.learn("t", None, size_bytes=3000)
    assert predictor.predict("t", None, room_bytes=ROOM) == 1100
    assert predictor.predict("t", None, room_bytes=500) == 500


def test_the_types_are_bounded() -> None:
    predictor = sizes()
    for number in range(TYPES_MAX + 1):
        predictor.learn(f"t{number}", 1000, size_bytes=2000)
    assert predictor.predict("t0", 1000, room_bytes=ROOM) == 1250
    assert predictor.predict("t1", 1000, room_bytes=ROOM) == 2000


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**7))), st.none() | st.integers(0, 10**6))
def test_a_prediction_lies_between_a_byte_and_the_worst_that_was_seen(
    models: list[tuple[int, int]], disk: int | None
) -> None:
    predictor = sizes()
    for known_disk, size in models:
        predictor.learn("t", known_disk, size_bytes=size)
    worst = max([1.25, *(size / known_disk for known_disk, size in models if known_disk)])
    most = max([5000, *(size for _, size in models)]) if disk is None else disk * worst + 1
    assert 1 <= predictor.predict("t", disk, room_bytes=10**9) <= most * 1.000001
