from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from adapter.controller.config import ScaleToZero
from adapter.controller.scale_to_zero import Memory, Need, Scale, memory_in, scaled, sleeps

NOW: Final = 1_760_000_000_000
S: Final = 1_000
GRACE: Final = ScaleToZero(grace_s=60.0)
IDLE: Final = ScaleToZero(grace_s=60.0, idle_s=300.0)
OFF: Final = ScaleToZero(enabled=False)
NEEDED: Final = Need(models=True)
IDLE_NEED: Final = Need(models=True, last_wanted_ms=NOW)
NOBODY: Final = Need(models=False)
RUNNING: Final = Memory(running=True)


def at(now_ms: int, setting: ScaleToZero, need: Need, memory: Memory, base: int = 2) -> Scale:
    return scaled(setting, base=base, need=need, memory=memory, now_ms=now_ms)


@pytest.mark.parametrize(
    ("setting", "need", "memory", "replicas", "look_again_s"),
    [
        pytest.param(GRACE, NEEDED, Memory(), 2, None, id="a model needs it"),
        pytest.param(GRACE, NOBODY, Memory(), 0, None, id="never run, and no model needs it"),
        pytest.param(GRACE, NOBODY, RUNNING, 2, 60.0, id="its last model has just gone"),
        pytest.param(
            GRACE,
            NOBODY,
            Memory(running=True, unneeded_since_ms=NOW - 45 * S),
            2,
            15.0,
            id="within the window",
        ),
        pytest.param(
            GRACE,
            NOBODY,
            Memory(running=True, unneeded_since_ms=NOW - 60 * S),
            0,
            None,
            id="the window is over",
        ),
        pytest.param(
            GRACE,
            NOBODY,
            Memory(running=True, unneeded_since_ms=NOW + 900 * S),
            2,
            60.0,
            id="a clock was wrong",
        ),
        pytest.param(
            GRACE,
            NEEDED,
            Memory(running=True, unneeded_since_ms=NOW - 45 * S),
            2,
            None,
            id="a model came back",
        ),
        pytest.param(OFF, NOBODY, Memory(), 2, None, id="scale to zero is off"),
        pytest.param(IDLE, Need(models=True), RUNNING, 2, 300.0, id="nobody knows who asked"),
        pytest.param(IDLE, IDLE_NEED, RUNNING, 2, 300.0, id="asked just now"),
        pytest.param(
            IDLE, Need(models=True, last_wanted_ms=NOW - 200 * S), RUNNING, 2, 100.0, id="asked lately"
        ),
        pytest.param(
            IDLE, Need(models=True, last_wanted_ms=NOW - 300 * S), RUNNING, 0, None, id="not for long"
        ),
        pytest.param(IDLE, Need(models=True, last_wanted_ms=0), Memory(), 2, 300.0, id="it does not run yet"),
        pytest.param(
            IDLE,
            Need(models=True, last_wanted_ms=NOW - 9 * S),
            Memory(asleep_since_ms=NOW - 8 * S),
            0,
            None,
            id="asleep",
        ),
        pytest.param(
            IDLE, Need(models=True), Memory(asleep_since_ms=NOW), 0, None, id="asleep, nobody knows more"
        ),
        pytest.param(IDLE, IDLE_NEED, Memory(asleep_since_ms=NOW - 8 * S), 2, 300.0, id="woken by a request"),
        pytest.param(GRACE, NEEDED, Memory(asleep_since_ms=NOW), 2, None, id="the setting was taken back"),
        pytest.param(IDLE, NOBODY, Memory(asleep_since_ms=NOW), 0, None, id="its models went while it slept"),
    ],
)
def test_it_has_so_many_instances(
    setting: ScaleToZero, need: Need, memory: Memory, replicas: int, look_again_s: float | None
) -> None:
    scale = at(NOW, setting, need, memory)
    assert (scale.replicas, scale.look_again_s) == (replicas, look_again_s)
    assert scale.memory.running is (replicas > 0)


def test_a_runtime_of_no_replicas_has_none_whatever_needs_it() -> None:
    assert at(NOW, GRACE, NEEDED, RUNNING, base=0).replicas == 0


def test_the_grace_period_survives_a_restart() -> None:
    leaving = at(NOW, GRACE, NOBODY, RUNNING)
    assert leaving.memory.marks == {"remesh.io/unneeded-since": "2025-10-09T08:53:20.000Z"}
    again = memory_in(leaving.memory.marks, running=True)
    assert at(NOW + 59 * S, GRACE, NOBODY, again).replicas == 2
    assert at(NOW + 60 * S, GRACE, NOBODY, again).replicas == 0


def test_sleep_survives_a_restart() -> None:
    asleep = at(NOW, IDLE, Need(models=True, last_wanted_ms=NOW - 300 * S), RUNNING)
    assert asleep.memory.marks == {"remesh.io/asleep-since": "2025-10-09T08:53:20.000Z"}
    again = memory_in(asleep.memory.marks, running=False)
    assert at(NOW + 60 * S, IDLE, Need(models=True), again).replicas == 0


def test_who_was_run_before_anybody_remembers_gets_the_whole_grace_period() -> None:
    assert at(NOW, GRACE, NOBODY, memory_in({}, running=True)).look_again_s == 60.0


@given(st.integers(0, 4 * 10**12), st.booleans())
def test_what_is_marked_is_read_again(since_ms: int, running: bool) -> None:
    memory = Memory(running=running, unneeded_since_ms=since_ms, asleep_since_ms=since_ms // 2)
    assert memory_in(memory.marks, running=running) == memory


@given(st.text(max_size=30))
def test_a_mark_that_cannot_be_read_is_none(text: str) -> None:
    memory_in({"remesh.io/unneeded-since": text, "remesh.io/asleep-since": text}, running=True)
    assert memory_in({"remesh.io/asleep-since": "soon"}, running=True) == RUNNING


class Runtime(RuleBasedStateMachine):
    """A runtime with models that come, go and are asked, and a controller that restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = self.changed_ms = self.wanted_ms = NOW
        self.models = False
        self.scale = at(NOW, IDLE, NOBODY, Memory())

    @rule(seconds=st.integers(0, 400))
    def time_passes(self, seconds: int) -> None:
        self.now_ms += seconds * S
        self._look()

    @rule()
    def a_model_comes(self) -> None:
        self.models, self.changed_ms, self.wanted_ms = True, self.now_ms, self.now_ms
        self._look()

    @rule()
    def all_models_go(self) -> None:
        if self.models:
            self.models, self.changed_ms = False, self.now_ms
        self._look()

    @rule()
    def somebody_asks(self) -> None:
        if self.models:
            self.wanted_ms = self.now_ms
        self._look()

    @rule()
    def the_controller_restarts(self) -> None:
        before = self.scale.replicas
        memory = memory_in(self.scale.memory.marks, running=before > 0)
        self.scale = at(self.now_ms, IDLE, self._need(), memory)
        assert self.scale.replicas == before

    def _need(self) -> Need:
        return Need(models=self.models, last_wanted_ms=self.wanted_ms)

    def _look(self) -> None:
        self.scale = at(self.now_ms, IDLE, self._need(), self.scale.memory)

    @invariant()
    def who_was_asked_lately_runs(self) -> None:
        if self.models and self.now_ms - self.wanted_ms < IDLE.idle_s * S:
            assert self.scale.replicas == 2

    @invariant()
    def who_is_needed_by_nobody_for_long_does_not(self) -> None:
        idle_ms = self.now_ms - max(self.changed_ms, self.wanted_ms if self.models else 0)
        if idle_ms >= (IDLE.idle_s if self.models else IDLE.grace_s) * S:
            assert self.scale.replicas == 0

    @invariant()
    def who_will_change_by_time_says_when(self) -> None:
        if self.scale.look_again_s is not None:
            assert 0 < self.scale.look_again_s <= IDLE.idle_s


TestRuntime = Runtime.TestCase


@pytest.mark.parametrize(
    ("memory", "wanted_ms", "asleep"),
    [
        pytest.param(RUNNING, None, False, id="it was not stopped"),
        pytest.param(Memory(asleep_since_ms=NOW), None, True, id="nobody asked"),
        pytest.param(Memory(asleep_since_ms=NOW), NOW - 1, True, id="somebody asked before"),
        pytest.param(Memory(asleep_since_ms=NOW), NOW, False, id="somebody asked since"),
    ],
)
def test_who_sleeps(memory: Memory, wanted_ms: int | None, asleep: bool) -> None:
    assert sleeps(memory, wanted_ms) is asleep
