import pytest

from adapter.controller.keys import RuntimeKey
from adapter.controller.usage import TYPES_KEPT_MAX, Usage
from adapter.domain.records import InstanceRecord

SK, TF = RuntimeKey("ns", "sk"), RuntimeKey("ns", "tf")
NOW_MS = 1_000_000


def record(runtime: str = "sk", idle_since_ms: int | None = None) -> InstanceRecord:
    labels = ("mt:sklearn", f"rt:{runtime}") if runtime else ()
    return InstanceRecord(boot="b", address="a:1", started_ms=0, labels=labels, idle_since_ms=idle_since_ms)


class Told:
    """Usage at a moment that a test moves; a runtime serves the type of its name."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS
        self.keys: list[RuntimeKey] = []
        self.usage = Usage(tell=self.keys.append, runtimes=lambda _: ["sk", "tf"], now_ms=lambda: self.now_ms)

    def wanted_ms(self, runtime: RuntimeKey = SK) -> int | None:
        return self.usage.last_wanted_ms(runtime, serves=lambda type_: type_ == runtime.name)

    def news(self) -> list[RuntimeKey]:
        """What was told since the last time."""
        news = list(self.keys)
        self.keys.clear()
        return news


@pytest.fixture
def told() -> Told:
    return Told()


def test_of_what_nobody_told_nothing_is_known(told: Told) -> None:
    assert (told.wanted_ms(), told.usage.runs(SK)) == (None, False)


def test_a_runtime_was_wanted_when_the_last_of_its_instances_was_used(told: Told) -> None:
    told.usage.instance("ns", "a", record(idle_since_ms=5))
    told.usage.instance("ns", "b", record(idle_since_ms=7))
    told.usage.instance("ns", "c", record("tf", idle_since_ms=9))
    told.usage.instance("ns", "door", record(""))
    assert (told.wanted_ms(), told.wanted_ms(TF)) == (7, 9)
    told.usage.instance("ns", "b", None)
    assert told.wanted_ms() == 5
    told.usage.instance("ns", "a", record())
    assert told.wanted_ms() == NOW_MS
    told.usage.instance("ns", "a", None)
    assert (told.wanted_ms(), told.usage.runs(SK), told.usage.runs(TF)) == (None, False, True)


def test_it_is_looked_at_when_that_changes_and_not_each_time_it_is_told(told: Told) -> None:
    told.usage.instance("ns", "a", record())
    told.usage.instance("ns", "a", record())
    assert told.news() == [SK]
    told.usage.instance("ns", "a", record(idle_since_ms=5))
    told.usage.instances("ns", {"a": record(idle_since_ms=5)})
    assert told.news() == [SK]
    told.usage.instances("ns", {"b": record("tf")})
    assert set(told.news()) == {SK, TF}
    told.usage.instance("ns", "b", record("sk"))
    assert set(told.news()) == {SK, TF}


def test_while_calls_are_held_for_a_type_it_is_wanted_now_and_afterwards_it_was(told: Told) -> None:
    told.usage.waits("ns", "door", ["sk"])
    assert told.news() == [SK, TF]
    told.now_ms += 1000
    assert (told.wanted_ms(), told.wanted_ms(TF)) == (NOW_MS + 1000, None)
    told.usage.waits("ns", "a", ["sk"])
    told.usage.waits("ns", "door", [])
    assert (told.wanted_ms(), told.news()) == (NOW_MS + 1000, [])
    told.usage.waiting("ns", {})
    told.now_ms += 5000
    assert told.wanted_ms() == NOW_MS + 1000
    assert told.news() == [SK, TF]


def test_a_model_that_is_declared_wants_its_runtimes(told: Told) -> None:
    told.usage.declared(SK, 5)
    told.usage.declared(SK, 3)
    assert (told.wanted_ms(), told.wanted_ms(TF), told.news()) == (5, None, [SK])


def test_a_call_while_nothing_runs_wants_all_runtimes(told: Told) -> None:
    told.usage.called("ns")
    assert (told.wanted_ms(), told.wanted_ms(TF), told.news()) == (NOW_MS, NOW_MS, [SK, TF])


def test_types_that_were_wanted_once_are_forgotten_in_time(told: Told) -> None:
    for number in range(TYPES_KEPT_MAX + 1):
        told.usage.waiting("ns", {"door": [str(number)]})
    told.usage.waiting("ns", {})
    assert told.usage.last_wanted_ms(SK, serves=lambda type_: type_ == "0") is None
    assert told.usage.last_wanted_ms(SK, serves=lambda type_: type_ == "1") == NOW_MS


def test_a_namespace_can_be_forgotten(told: Told) -> None:
    told.usage.instance("ns", "a", record())
    told.usage.forget("ns")
    assert (told.wanted_ms(), told.usage.runs(SK)) == (None, False)
