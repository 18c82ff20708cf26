import pytest

from adapter.domain import errors
from adapter.domain.errors import AdapterError, Code
from adapter.mesh import cures
from adapter.mesh.departures import Gone
from tests.unit.mesh.scaling_builders import MIB

ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AdapterError)]


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_of_ours_has_a_cure(kind: type[AdapterError]) -> None:
    assert kind.code in cures.BY_CODE


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK], ids=lambda code: code.name)
def test_each_cure_is_one_sentence(code: Code) -> None:
    cure = cures.for_failure(code)
    assert cure.endswith(".")
    assert ". " not in cure


@pytest.mark.parametrize("why", Gone, ids=lambda why: why.name)
def test_each_way_to_go_has_a_cure_of_one_sentence(why: Gone) -> None:
    cure = cures.for_departure(why, 5 * MIB)
    assert cure.endswith(".")
    assert ". " not in cure


def test_a_cure_for_an_eviction_has_the_room_that_was_lacking() -> None:
    assert "(CONTAINER_MEM_REQ_BYTES) by 5.0 MiB" in cures.for_departure(Gone.EVICTED, 5 * MIB)
    assert "by as much as it takes" in cures.for_departure(Gone.EVICTED, 0)


def test_a_cure_for_a_size_counts_what_is_not_for_models() -> None:
    cure = cures.for_size(10 * MIB, overhead_bytes=2 * MIB)
    assert cure.startswith("Set CONTAINER_MEM_REQ_BYTES of an instance to 12582912 (12.0 MiB) or more")
