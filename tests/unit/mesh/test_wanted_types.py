import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from adapter.domain.ids import InstanceId
from adapter.domain.records import InstanceRecord
from adapter.mesh.constraints import NO_CONSTRAINTS, TypeConstraints
from adapter.mesh.view import InstanceState
from adapter.mesh.wanted_types import LINGER_S, TYPE_CHARS_MAX, TYPES_MAX, WantedTypes, is_served

SKLEARN = TypeConstraints.parse('{"_default": {"required": ["none"]}, "sklearn": {"required": ["sk"]}}')


def an_instance(*labels: str, capacity_bytes: int = 100, draining: bool = False) -> InstanceState:
    record = InstanceRecord(
        boot="b",
        address="a:1",
        started_ms=0,
        labels=labels,
        capacity_bytes=capacity_bytes,
        draining=draining,
    )
    return InstanceState(id=InstanceId("a"), record=record, copies=0, used_bytes=0, loading=0)


@pytest.mark.parametrize(
    ("instance", "served"),
    [
        pytest.param(an_instance("sk"), True, id="it has the labels"),
        pytest.param(an_instance("tf"), False, id="it has others"),
        pytest.param(an_instance("sk", draining=True), False, id="it is about to leave"),
        pytest.param(an_instance("sk", capacity_bytes=0), False, id="it has no runtime"),
    ],
)
def test_a_type_is_served_by_who_may_load_its_models(instance: InstanceState, served: bool) -> None:
    assert is_served("sklearn", {instance.id: instance}, SKLEARN) is served


def test_without_constraints_any_runtime_serves_any_type() -> None:
    assert is_served("any", {InstanceId("a"): an_instance()}, NO_CONSTRAINTS)
    assert not is_served("any", {}, NO_CONSTRAINTS)


def test_a_type_is_wanted_while_calls_wait_and_a_little_longer() -> None:
    wanted = WantedTypes()
    assert wanted.add("b")
    assert wanted.add("a")
    assert wanted.add("a")
    assert (wanted.types, wanted.waiting, wanted.due_s) == (("a", "b"), 3, None)
    wanted.leave("a", 10.0)
    assert wanted.due_s is None
    wanted.leave("a", 11.0)
    wanted.pass_time(11.0 + LINGER_S - 0.1)
    assert (wanted.types, wanted.waiting) == (("a", "b"), 1)
    assert wanted.due_s == 11.0 + LINGER_S
    wanted.pass_time(11.0 + LINGER_S)
    assert wanted.types == ("b",)


def test_who_comes_again_is_waited_for_as_before() -> None:
    wanted = WantedTypes()
    wanted.add("a")
    wanted.leave("a", 0.0)
    wanted.add("a")
    wanted.pass_time(1000.0)
    assert wanted.types == ("a",)


@pytest.mark.parametrize("type_", ["", "x" * (TYPE_CHARS_MAX + 1)], ids=["empty", "too long"])
def test_what_is_no_type_is_not_told_of(type_: str) -> None:
    assert not WantedTypes().add(type_)


class Machine(RuleBasedStateMachine):
    """Calls come, go and come again."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted = WantedTypes()
        self.calls: list[str] = []
        self.now_s = 0.0

    @rule(number=st.integers(min_value=0, max_value=TYPES_MAX + 3))
    def comes(self, number: int) -> None:
        known = len(self.wanted.types) < TYPES_MAX or str(number) in self.wanted.types
        assert self.wanted.add(str(number)) is known
        if known:
            self.calls.append(str(number))

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def goes(self, data: st.DataObject) -> None:
        self.wanted.leave(self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1))), self.now_s)

    @rule(seconds=st.floats(min_value=0.0, max_value=2 * LINGER_S))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds
        self.wanted.pass_time(self.now_s)

    @invariant()
    def holds(self) -> None:
        self.wanted.check()
        assert set(self.calls) <= set(self.wanted.types)
        assert self.wanted.waiting == len(self.calls)


TestMachine = Machine.TestCase
