"""Which loads of a model failed, and when that means that nobody tries it again for a while.

Three rules (reference: ModelMesh core 4.1, 4.6, 4.9; the last two are ours):

- loads failed in three instances: the model is at fault, or all that it needs;
- a load failed for a reason that holds everywhere, such as an object that is not there;
- runtimes ended on it, twice in the whole mesh: it is quarantined, so that it does not end the next one.

Each is lifted by time, and at once when the model is registered anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from adapter.domain.errors import Code
from adapter.domain.ids import InstanceId
from adapter.domain.records import CopyRecord, CopyState
from adapter.mesh.verdicts import Reject
from adapter.mesh.wording import times, within

FAILURES_MAX: Final = 3
"""With so many failed loads that still count, no other instance tries."""
CRASHES_MAX: Final = 2
"""After so many ends of a runtime the model is quarantined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """The failed loads of one model that still count."""

    by_instance: Mapping[InstanceId, CopyRecord] = field(default_factory=dict)
    """The latest first."""
    crashes: int = 0
    """How often runtimes ended on it; those whose failure has expired count too, as long as their record
    stands."""

    def __bool__(self) -> bool:
        return bool(self.by_instance)

    @property
    def texts(self) -> tuple[str, ...]:
        """`CODE: text` of each, the latest first."""
        return tuple(record.failure for record in self.by_instance.values())

    @property
    def everywhere(self) -> list[CopyRecord]:
        """Those that would happen in any instance, the latest first."""
        return [record for record in self.by_instance.values() if record.everywhere]

    def at(self, instance: InstanceId, now_ms: int) -> Reject | None:
        """The failure of that instance, as what becomes of a request."""
        record = self.by_instance.get(instance)
        return None if record is None else _rejected(record, f"tried again {within(record.until_ms, now_ms)}")

    def latest(self, now_ms: int) -> Reject | None:
        """The most recent failure, likewise."""
        for instance in self.by_instance:
            return self.at(instance, now_ms)
        return None

    def refusal(self, now_ms: int) -> Reject | None:
        """Why the model is not loaded anywhere now; None: another instance may try."""
        if not self.by_instance:
            return None
        records = list(self.by_instance.values())
        crashed = [record for record in records if record.crashes]
        if crashed and self.crashes >= CRASHES_MAX:
            return self._quarantined(crashed, now_ms)
        everywhere = self.everywhere
        if everywhere:
            again = within(_until_ms(everywhere), now_ms)
            return _rejected(everywhere[0], f"it would fail alike in every instance; tried again {again}")
        if len(records) >= FAILURES_MAX:
            again = within(_until_ms(records, FAILURES_MAX), now_ms)
            return _rejected(records[0], f"its load failed in {len(records)} instances; tried again {again}")
        return None

    def _quarantined(self, crashed: list[CopyRecord], now_ms: int) -> Reject:
        _, last = coded(crashed[0].failure)
        return Reject(
            Code.FAILED_PRECONDITION,
            f"quarantined: the runtime ended {times(self.crashes)} while loading or answering it"
            f"{f' (last: {last})' if last else ''}; tried again {within(_until_ms(crashed), now_ms)}; "
            "re-register it to lift that",
        )


NO_FAILURES: Final = Failures()


def failures_of(copies: Mapping[InstanceId, CopyRecord], now_ms: int) -> Failures:
    """What of a model's copies failed, and still counts."""
    crashes = 0
    failed: list[tuple[InstanceId, CopyRecord]] = []
    for instance, record in copies.items():
        crashes += record.crashes
        if record.state is CopyState.FAILED and now_ms < record.until_ms:
            failed.append((instance, record))
    if not failed and not crashes:
        return NO_FAILURES
    return Failures(by_instance=dict(sorted(failed, key=_latest)), crashes=crashes)


def coded(text: str, default: Code = Code.INTERNAL) -> tuple[Code, str]:
    """What `CODE: text` says; a text without a code has the default."""
    name, separator, rest = text.partition(": ")
    code = Code.__members__.get(name) if separator else None
    return (default, text) if code is None else (code, rest)


def _latest(failed: tuple[InstanceId, CopyRecord]) -> tuple[int, InstanceId]:
    instance, record = failed
    return -record.since_ms, instance


def _until_ms(records: list[CopyRecord], fewer_than: int = 1) -> int:
    """When fewer than that of them will count."""
    return sorted((record.until_ms for record in records), reverse=True)[fewer_than - 1]


def _rejected(record: CopyRecord, why: str) -> Reject:
    code, text = coded(record.failure)
    return Reject(code, f"{text or 'its load failed'}; {why}")
