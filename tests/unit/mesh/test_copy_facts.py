import pytest

from adapter.domain.ids import InstanceId
from adapter.domain.records import CopyState
from adapter.mesh.copy_facts import ScalingRules
from tests.unit.mesh.scaling_builders import a_copy, a_mesh, an_instance, ids, loaded_in


@pytest.mark.parametrize(
    ("rpm", "concurrency", "limit", "load"),
    [
        pytest.param(2000, 0, 0, 1.0, id="as many calls a minute as there should be at most"),
        pytest.param(500, 8, 0, 0.5, id="calls at a time, where the runtime has no limit"),
        pytest.param(500, 9, 10, 1.0, id="nine tenths of the calls at a time that the runtime allows"),
        pytest.param(4000, 16, 0, 2.0, id="the greater of the two"),
    ],
)
def test_load_is_measured_by_what_asks_for_another_copy(
    rpm: float, concurrency: float, limit: int, load: float
) -> None:
    assert ScalingRules().load(rpm=rpm, concurrency=concurrency, limit=limit) == load
    copied = loaded_in("a", rpm=rpm, concurrency=concurrency, concurrency_limit=limit)
    assert copied.load(ScalingRules()) == load


def test_copies_count_where_they_may_be_and_stay() -> None:
    copies = {
        InstanceId("c"): a_copy(),
        InstanceId("b"): a_copy(CopyState.LOADING),
        InstanceId("leaves"): a_copy(),
        InstanceId("of another type"): a_copy(),
        InstanceId("a"): a_copy(),
    }
    mesh = a_mesh(*[an_instance(name) for name in "abc"], an_instance("leaves", draining=True))
    copied = loaded_in(copies=copies)
    assert mesh.live(copied, CopyState.LOADED) == ids("a", "c")
    assert mesh.live(copied, CopyState.LOADED, CopyState.LOADING) == ids("a", "b", "c")
