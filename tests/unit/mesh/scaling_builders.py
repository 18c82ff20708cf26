"""Copies, instances and a small mesh in virtual time, for the rules on how many copies there are."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRecord, CopyRules, CopyState, InstanceRecord
from adapter.mesh.copy_facts import Copied, Mesh, ScalingRules
from adapter.mesh.demand import Demand, Noted
from adapter.mesh.room import room_of
from adapter.mesh.scaling import Wish, more_copies
from adapter.mesh.shrinking import surplus_copies
from adapter.mesh.view import InstanceState

NOW_MS = 1_700_000_000_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
MIB = 1 << 20
GIB = 1 << 30
MODEL = ModelId("m")


def ids(*names: str) -> list[InstanceId]:
    return [InstanceId(name) for name in names]


def a_record(**changes: object) -> InstanceRecord:
    record = InstanceRecord(boot="1", address="127.0.0.1:8080", started_ms=0, capacity_bytes=GIB)
    return replace(record, **changes)  # type: ignore[arg-type] # any of its fields


def an_instance(
    name: str, *, free_bytes: int | None = None, copies: int = 0, loading: int = 0, **record: object
) -> InstanceState:
    """Of 1 GiB, all of it free unless said otherwise."""
    of = a_record(**record)
    used_bytes = 0 if free_bytes is None else of.capacity_bytes - free_bytes
    return InstanceState(
        id=InstanceId(name), record=of, copies=copies, used_bytes=used_bytes, loading=loading
    )


def a_mesh(
    *instances: InstanceState, here: str = "a", now_ms: int = NOW_MS, leads: bool = False, rpm: float = 0.0
) -> Mesh:
    return Mesh(
        here=InstanceId(here),
        now_ms=now_ms,
        instances={instance.id: instance for instance in instances},
        room=room_of(instances),
        leads=leads,
        rpm=rpm,
    )


def a_mesh_of(count: int, **record: object) -> Mesh:
    """Instances a, b, c and so on, all alike; this one is a."""
    return a_mesh(*[an_instance(name, **record) for name in "abcdefghij"[:count]])  # type: ignore[arg-type]


def crowded(count: int, *, age_ms: int = 100 * HOUR_MS) -> Mesh:
    """Instances a, b, c and so on with 3 % free, the coldest copy so old."""
    share = GIB * 3 // 100
    return a_mesh(
        *[an_instance(n, free_bytes=share, coldest_ms=NOW_MS - age_ms) for n in "abcdefghij"[:count]]
    )


def a_copy(state: CopyState = CopyState.LOADED, *, age_ms: int = HOUR_MS, load_s: float = 1.0) -> CopyRecord:
    return CopyRecord(state=state, since_ms=NOW_MS - age_ms, load_s=load_s, size_bytes=10 * MIB)


def a_failure(*, lasts_ms: int = MINUTE_MS, everywhere: bool = False, crashes: int = 0) -> CopyRecord:
    return CopyRecord(
        state=CopyState.FAILED,
        since_ms=NOW_MS - 5_000,
        failure="DATA_LOSS: the file is cut off",
        until_ms=NOW_MS + lasts_ms,
        everywhere=everywhere,
        crashes=crashes,
    )


def loaded_in(*names: str, **changes: object) -> Copied:
    """A model with copies, loaded an hour ago, and used now, in these instances."""
    copied = Copied(
        model=MODEL,
        copies={InstanceId(name): a_copy() for name in names},
        used_ms=NOW_MS,
        size_bytes=10 * MIB,
    )
    return replace(copied, **changes)  # type: ignore[arg-type] # any of its fields


@dataclass(slots=True)
class Change:
    """The number of copies, from then on."""

    at_s: int
    copies: int


@dataclass(slots=True, kw_only=True)
class SmallMesh:
    """Instances that decide each second on one model, whose calls are spread evenly over its loaded copies.

    Each sees its own copy as it is, and those of the others as they were when the second began.
    """

    instances: int = 5
    load_s: int = 1
    rules: CopyRules = field(default_factory=CopyRules)
    scaling: ScalingRules = field(default_factory=ScalingRules)
    crowded: bool = False
    janitor_s: int = 60
    now_s: int = 0
    copies: dict[InstanceId, CopyRecord] = field(default_factory=dict)
    seen: dict[InstanceId, CopyRecord] = field(default_factory=dict)
    demands: dict[InstanceId, Demand] = field(default_factory=dict)
    used_ms: dict[InstanceId, int] = field(default_factory=dict)
    due_s: dict[InstanceId, int] = field(default_factory=dict)
    departed_ms: int = 0
    story: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = ids(*"abcdefghij"[: self.instances])
        self.demands = {name: Demand(0.0, rules=self.scaling) for name in names}
        self.due_s = {name: 7 * (number + 1) for number, name in enumerate(names)}
        self.copies[names[0]] = CopyRecord(
            state=CopyState.LOADED, since_ms=NOW_MS - HOUR_MS, load_s=self.load_s
        )
        self.used_ms[names[0]] = NOW_MS
        self.seen = dict(self.copies)

    @property
    def now_ms(self) -> int:
        return NOW_MS + 1000 * self.now_s

    @property
    def loaded(self) -> list[InstanceId]:
        return [id_ for id_, copy in self.copies.items() if copy.state is CopyState.LOADED]

    def run(self, seconds: int, *, rpm: int) -> None:
        """So long with so many calls a minute in all."""
        carried = 0.0
        for _ in range(seconds):
            carried += rpm / 60
            self.second(int(carried))
            carried -= int(carried)

    def rest(self, minutes: int) -> None:
        """So long without any call."""
        for _ in range(minutes):
            self.second(0, lasts_s=60)

    def second(self, calls: int, *, lasts_s: int = 1) -> None:
        loaded = self.loaded
        assert loaded, "there is no copy left"
        for number in range(calls):
            self.demands[loaded[number % len(loaded)]].rates.count(MODEL)
        self.now_s += lasts_s
        for id_ in loaded[:calls]:
            self.used_ms[id_] = self.now_ms
        for id_, copy in self.copies.items():
            if copy.state is CopyState.LOADING and self.now_ms - copy.since_ms >= 1000 * self.load_s:
                self.copies[id_] = replace(copy, state=CopyState.LOADED, load_s=self.load_s)
                self.used_ms[id_] = self.now_ms
        holders, mesh = list(self.copies), self._mesh()
        for id_, demand in self.demands.items():
            noted = demand.tick(now_s=float(self.now_s), now_ms=self.now_ms, in_flight={})
            if id_ in holders:
                self._judge(self._facts(id_, noted), replace(mesh, here=id_))
        self.seen = dict(self.copies)
        if not self.story or self.story[-1].copies != len(self.copies):
            self.story.append(Change(self.now_s, len(self.copies)))

    def _facts(self, here: InstanceId, noted: Noted) -> Copied:
        rates, marks = self.demands[here].rates, self.demands[here].marks
        others: Mapping[InstanceId, CopyRecord] = {k: v for k, v in self.seen.items() if k != here}
        return Copied(
            model=MODEL,
            rules=self.rules,
            copies={**others, here: self.copies[here]},
            size_bytes=10 * MIB,
            used_ms=self.used_ms.get(here, 0),
            rpm=rates.rpm(MODEL),
            steady=MODEL in noted.steady,
            heavy_ms=marks.heavy_ms(MODEL),
            asked_ms=self.demands[here].asked_ms(MODEL),
            departed_ms=self.departed_ms,
        )

    def _mesh(self) -> Mesh:
        free_bytes = GIB // 100 if self.crowded else GIB // 2
        coldest_ms = self.now_ms - 24 * HOUR_MS
        instances = [an_instance(id_, free_bytes=free_bytes, coldest_ms=coldest_ms) for id_ in self.demands]
        return replace(a_mesh(*instances, now_ms=self.now_ms), rules=self.scaling)

    def _judge(self, copied: Copied, mesh: Mesh) -> None:
        wish = more_copies(copied, mesh)
        if wish:
            self.demands[mesh.here].asked(MODEL, self.now_ms)
            self._load(wish)
        if self.now_s >= self.due_s[mesh.here]:
            self.due_s[mesh.here] += self.janitor_s
            if surplus_copies([(copied, mesh)], capacity_bytes=GIB):
                del self.copies[mesh.here]
                self.departed_ms = self.now_ms

    def _load(self, wish: Wish) -> None:
        places = [id_ for id_ in self.demands if id_ not in wish.excluded and id_ not in self.copies]
        for id_ in places[: wish.copies]:
            self.copies[id_] = CopyRecord(state=CopyState.LOADING, since_ms=self.now_ms)
