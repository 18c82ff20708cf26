import pytest

from adapter.domain.ids import ModelId
from adapter.mesh.departures import Departure, Gone, departure, evicted, evicted_by_age
from tests.unit.mesh.scaling_builders import MIB


@pytest.mark.parametrize("why", Gone)
@pytest.mark.parametrize("words", ["", "to make room: a, b"])
def test_what_is_written_can_be_read(why: Gone, words: str) -> None:
    written = Departure(why=why, words=words)
    assert departure(str(written)) == written
    assert written.sentence.startswith(("was ", "went"))


def test_words_of_another_version_are_kept() -> None:
    read = departure("melted: by the sun")
    assert (read.why, read.sentence) == (Gone.OTHER, "went (melted: by the sun)")
    assert departure("").sentence == "went"


def test_an_eviction_by_value_has_the_figures_that_decided_it() -> None:
    assert evicted(ModelId("b"), uses=2, load_s=0.25, size_bytes=3 * MIB).sentence == (
        "was evicted to make room for b, as the least valuable copy that was not in use "
        "(used twice, 250 ms to load, 3.0 MiB)"
    )
    assert "since what is loaded was bigger than predicted" in str(
        evicted(None, uses=1, load_s=1, size_bytes=1)
    )


def test_an_eviction_by_last_use_says_how_long_it_was_unused() -> None:
    gone = evicted_by_age(ModelId("b"), unused_s=600, size_bytes=MIB)
    assert gone.words == "to make room for b, as the copy that was unused for longest (10 min, 1.0 MiB)"
    assert "bigger than predicted" in evicted_by_age(None, unused_s=1, size_bytes=1).words
