"""The life of a supervised process, as decisions: which state comes next, and how long a pause is.

```
STARTING ──answers──▶ READY ──ends──▶ BACKING_OFF ──pause over──▶ STARTING
any of these ──told to stop──▶ STOPPING ──ends──▶ GONE
```

A process that never answered is not restarted: its command or its settings are wrong, and whoever started it
is told so. One that did answer is, after a pause that doubles, until it has failed `tries_max` times in
a row.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum

from adapter.domain.errors import Broken


class ProcessFailed(Broken):
    """A process did not become ready, or does not stay up; the text has the end of its output."""


class ProcessState(Enum):
    """Where a process is in its life."""

    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing off"
    STOPPING = "stopping"
    GONE = "gone"


class ProcessEvent(Enum):
    """What happens to a process."""

    ANSWERED = "it answers"
    ENDED = "it ended"
    PAUSED = "the pause is over"
    GIVEN_UP = "it failed too often"
    STOP_ASKED = "it was told to stop"


NEXT: dict[tuple[ProcessState, ProcessEvent], ProcessState] = {
    (ProcessState.STARTING, ProcessEvent.ANSWERED): ProcessState.READY,
    (ProcessState.STARTING, ProcessEvent.ENDED): ProcessState.BACKING_OFF,
    (ProcessState.STARTING, ProcessEvent.STOP_ASKED): ProcessState.STOPPING,
    (ProcessState.READY, ProcessEvent.ENDED): ProcessState.BACKING_OFF,
    (ProcessState.READY, ProcessEvent.STOP_ASKED): ProcessState.STOPPING,
    (ProcessState.BACKING_OFF, ProcessEvent.PAUSED): ProcessState.STARTING,
    (ProcessState.BACKING_OFF, ProcessEvent.GIVEN_UP): ProcessState.GONE,
    (ProcessState.BACKING_OFF, ProcessEvent.STOP_ASKED): ProcessState.STOPPING,
    (ProcessState.STOPPING, ProcessEvent.ENDED): ProcessState.GONE,
}
"""Every transition there is."""

STORY_LENGTH = 32
DOUBLINGS_MAX = 60
"""Of the pause; far beyond any longest pause, and within what a number holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How patient the supervisor is with one process."""

    pause_s_first: float = 0.2
    pause_s_max: float = 30.0
    good_s: float = 60.0
    """Up for so long counts as well again: the next pause is the first one."""
    tries_max: int = 10

    def pause_s(self, failures: int) -> float:
        """The pause after so many failures in a row; the first pause doubles with each."""
        assert failures > 0, "nothing has failed"
        doublings = min(failures - 1, DOUBLINGS_MAX)
        return min(self.pause_s_first * 2.0**doublings, self.pause_s_max)


class ProcessLife:
    """The state of one process, with its story."""

    def __init__(self, name: str, backoff: Backoff) -> None:
        self.name = name
        self.state = ProcessState.STARTING
        self.failures = 0
        """In a row."""
        self._backoff = backoff
        self._has_answered = False
        self._ready_since_s = 0.0
        self._story: deque[str] = deque(maxlen=STORY_LENGTH)

    def __repr__(self) -> str:
        return f"<ProcessLife {self.name}: {self.state.value}, {self.failures} failures>"

    @property
    def story(self) -> tuple[str, ...]:
        """The latest transitions, each with its cause."""
        return tuple(self._story)

    def answered(self, *, now_s: float) -> None:
        self._move(ProcessEvent.ANSWERED)
        self._has_answered = True
        self._ready_since_s = now_s

    def ended(self, *, now_s: float) -> float | None:
        """The seconds to wait before the next start; None: there is none, and it is GONE."""
        was_well = self.state is ProcessState.READY and now_s - self._ready_since_s >= self._backoff.good_s
        self._move(ProcessEvent.ENDED)
        self.failures = 1 if was_well else self.failures + 1
        if self._has_answered and self.failures <= self._backoff.tries_max:
            return self._backoff.pause_s(self.failures)
        self._move(ProcessEvent.GIVEN_UP)
        return None

    def paused(self) -> None:
        self._move(ProcessEvent.PAUSED)

    def stop_asked(self) -> None:
        """Nothing changes if it is on its way out already."""
        if self.state not in {ProcessState.STOPPING, ProcessState.GONE}:
            self._move(ProcessEvent.STOP_ASKED)

    def stopped(self) -> None:
        """It ended because it was told to."""
        if self.state is not ProcessState.GONE:
            self._move(ProcessEvent.ENDED)

    def _move(self, event: ProcessEvent) -> None:
        after = NEXT.get((self.state, event))
        assert after is not None, f"{self.name}: {event.value!r} while {self.state.value}\n" + "\n".join(
            self._story
        )
        self._story.append(f"{self.state.value} -> {after.value} because {event.value}")
        self.state = after
