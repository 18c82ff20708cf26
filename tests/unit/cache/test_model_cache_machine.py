"""Random events in random order, as a runtime and a loader could cause them, against a model of the truth."""

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adapter.cache.bounds import CacheBounds
from adapter.cache.entry import EntryState
from adapter.cache.failures import Failure
from adapter.cache.messages import (
    Abandoned,
    CacheCommand,
    CacheEvent,
    CopyLost,
    DiscardFiles,
    Dropped,
    Loaded,
    LoadFailed,
    LoadRequested,
    MeasureSize,
    PinRuled,
    Pulled,
    RuntimeReset,
    Settled,
    Sized,
    StartLoad,
    StartPull,
    StartUnload,
    StopPull,
    Tick,
    Unloaded,
    WakeAt,
)
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import AdapterError, ModelCorrupt, RuntimeUnavailable, StorageUnreachable
from adapter.domain.ids import ModelId

CAPACITY, SLOTS, DRAIN_S, ABANDONED_S = 1000, 2, 10.0, 3.0
MODELS = st.sampled_from([ModelId(name) for name in "abcdefg"])
SIZES = st.one_of(st.integers(1, 400), st.integers(1, 1300), st.just(CAPACITY + 1))
ERRORS = st.sampled_from([ModelCorrupt("broken"), StorageUnreachable("away"), RuntimeUnavailable("restarts")])


class CacheMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = 100.0
        self.waiting: set[ModelId] = set()
        """Asked for, and not yet told how it ended."""
        self.abandoned: dict[ModelId, float] = {}
        """Of those, since when nobody listens any more."""
        self.stopping: set[ModelId] = set()
        self.pulling: set[ModelId] = set()
        self.loading: dict[ModelId, int] = {}
        self.measuring: list[ModelId] = []
        self.unloading: set[ModelId] = set()
        self.files: set[ModelId] = set()
        self.taken: dict[ModelId, int] = {}
        """What the runtime holds, as far as anyone can know: predictions for what was not measured."""
        self.stranded: dict[ModelId, int] = {}
        self.pins: Counter[ModelId] = Counter()
        self.pinned_copies: Counter[ModelId] = Counter()
        """Of the pins those on a copy that is still there."""
        self.gone_since: dict[ModelId, float] = {}

    @initialize(
        policy=st.sampled_from(["lhd", "gdsf", "lru"]),
        queue_max=st.integers(1, 5),
        churn_factor=st.sampled_from([0.0, 0.5, 10.0]),
    )
    def begin(self, policy: Any, queue_max: int, churn_factor: float) -> None:
        bounds = CacheBounds(
            queue_max=queue_max,
            failed_max=3,
            waiting_for_room_s_max=20,
            first_use_s_max=5,
            drain_s_max=DRAIN_S,
            abandoned_s_max=ABANDONED_S,
            churn_factor=churn_factor,
        )
        self.cache = ModelCache(
            capacity_bytes=CAPACITY,
            loading_slots=SLOTS,
            default_size_bytes=100,
            policy=policy,
            failure_expiry_s=30,
            bounds=bounds,
        )

    def tell(self, event: CacheEvent) -> None:
        pinned, guarded = self.kept()
        commands = self.cache.handle(event, self.now_s)
        kept = pinned if self.cache.deficit_bytes else pinned | guarded
        kept.discard(getattr(event, "model", ModelId("")))
        evicted = {c.model for c in commands if isinstance(c, StartUnload) and c.cause.startswith("room for")}
        assert not evicted & kept, "evicted although a rule keeps it"
        self.carry_out(commands)

    def kept(self) -> tuple[set[ModelId], set[ModelId]]:
        """What may not be evicted for another: the pinned; and the guarded, while there is no deficit."""
        standings = {model: self.cache.worth(model, self.now_s) for model in self.cache}
        guarded = {m for m, s in standings.items() if s and (s.guarded_until_s or 0.0) > self.now_s}
        pinned = {m for m, s in standings.items() if s and s.pinned}
        return pinned, set() if self.cache.deficit_bytes else guarded

    # The loader: notes what it is to do, and checks that it may.

    def carry_out(self, commands: list[CacheCommand]) -> None:
        for command in commands:
            self.carry_out_one(command)

    def carry_out_one(self, command: CacheCommand) -> None:
        model = getattr(command, "model")  # noqa: B009 - every command has one
        match command:
            case StartPull():
                self.begins(model)
                self.pulling.add(model)
                assert len(self.pulling) + len(self.loading) <= SLOTS
            case StopPull():
                assert model in self.pulling
                assert model not in self.stopping, "stopped twice"
                self.stopping.add(model)
            case StartLoad(size_hint_bytes=hint):
                self.begins(model)
                assert model in self.files
                self.loading[model] = self.taken[model] = hint
                lost = sum(self.stranded.values())
                assert sum(self.taken.values()) + lost <= CAPACITY, "overfilled by a decision"
            case MeasureSize():
                self.measuring.append(model)
            case StartUnload():
                self.begins(model)
                patient = self.now_s - self.gone_since.get(model, self.now_s) >= DRAIN_S
                assert not self.pinned_copies[model] or patient, "unloaded while it is used"
                self.unloading.add(model)
            case DiscardFiles():
                self.begins(model)
                self.files.discard(model)
            case Settled():
                self.waiting.discard(model)
                self.abandoned.pop(model, None)
            case WakeAt(at_s=at_s):
                assert at_s > self.now_s, "to be woken in the past"
                assert self.cache.state(model) is EntryState.WAITING

    def begins(self, model: ModelId) -> None:
        busy = (self.pulling, self.loading, self.unloading)
        assert not any(model in deeds for deeds in busy), f"two deeds at once for {model}"

    def gone(self, model: ModelId) -> None:
        del self.taken[model]
        self.pinned_copies.pop(model, None)
        self.gone_since.pop(model, None)

    # Those who ask.

    @rule(model=MODELS, waiting=st.booleans(), ago_s=st.floats(0, 500), pinned=st.none() | st.booleans())
    def request(self, model: ModelId, waiting: bool, ago_s: float, pinned: bool | None) -> None:
        self.waiting.add(model)
        self.abandoned.pop(model, None)
        used_s = self.now_s - ago_s
        self.tell(LoadRequested(model=model, type="t", waiting=waiting, used_s=used_s, pinned=pinned))

    @rule(model=MODELS, pinned=st.booleans())
    def rule_changes(self, model: ModelId, pinned: bool) -> None:
        self.tell(PinRuled(model=model, pinned=pinned))
        standing = self.cache.worth(model, self.now_s)
        assert standing is None or standing.pinned == pinned

    @rule(model=MODELS)
    def explain(self, model: ModelId) -> None:
        known = self.cache.state(model) is not None
        assert (self.cache.size_bytes(model) is not None) == known
        queued = self.cache.state(model) is EntryState.QUEUED
        assert (self.cache.queue_position(model) is not None) == queued
        departure = self.cache.departure(model)
        assert departure is None or str(departure)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def all_who_wait_leave(self, data: st.DataObject) -> None:
        model = data.draw(st.sampled_from(sorted(self.waiting)))
        self.abandoned[model] = self.now_s
        self.tell(Abandoned(model=model))

    @rule(model=MODELS)
    def acquire(self, model: ModelId) -> None:
        usable = self.cache.state(model) in (EntryState.SIZING, EntryState.ACTIVE)
        assert self.cache.acquire(model, self.now_s) == usable
        if usable:
            assert model in self.taken
            self.pins[model] += 1
            self.pinned_copies[model] += 1

    @precondition(lambda self: +self.pins)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.release_one(data.draw(st.sampled_from(sorted(+self.pins))))

    def release_one(self, model: ModelId) -> None:
        self.pins[model] -= 1
        self.pinned_copies[model] = min(self.pinned_copies[model], self.pins[model])
        self.carry_out(self.cache.release(model, self.now_s))

    @rule(model=MODELS, unregistered=st.booleans(), because=st.sampled_from(["", "scaled down"]))
    def drop(self, model: ModelId, unregistered: bool, because: str) -> None:
        self.gone_since.setdefault(model, self.now_s)
        self.tell(Dropped(model=model, unregistered=unregistered, because=because))
        assert model not in self.waiting
        assert self.cache.failure(model, self.now_s) is None

    @rule(seconds=st.sampled_from([0.1, 1.0, 7.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds
        self.tell(Tick())
        overdue = [m for m, since_s in self.abandoned.items() if self.now_s - since_s >= ABANDONED_S]
        assert all(self.cache.state(model) is EntryState.LOADING for model in overdue), "loaded for nobody"

    # What becomes of the loader's deeds.

    @precondition(lambda self: self.pulling)
    @rule(data=st.data(), disk=st.none() | SIZES)
    def pull_ends(self, data: st.DataObject, disk: int | None) -> None:
        model = data.draw(st.sampled_from(sorted(self.pulling)))
        self.pull_has_ended(model)
        self.files.add(model)
        self.tell(Pulled(model=model, disk_bytes=disk))

    @precondition(lambda self: self.pulling)
    @rule(data=st.data(), error=ERRORS)
    def pull_fails(self, data: st.DataObject, error: AdapterError) -> None:
        model = data.draw(st.sampled_from(sorted(self.pulling)))
        self.pull_has_ended(model)
        self.tell(LoadFailed(model=model, failure=Failure(error=error, at_s=self.now_s)))

    def pull_has_ended(self, model: ModelId) -> None:
        self.pulling.remove(model)
        self.stopping.discard(model)

    @precondition(lambda self: self.loading)
    @rule(data=st.data(), size=st.none() | SIZES)
    def load_ends(self, data: st.DataObject, size: int | None) -> None:
        model = data.draw(st.sampled_from(sorted(self.loading)))
        hint = self.loading.pop(model)
        self.taken[model] = hint if size is None else size
        self.stranded.pop(model, None)
        self.gone_since.pop(model, None)
        self.pinned_copies[model] = self.pins[model]  # the new copy inherits those of the old one
        if size is not None and size > CAPACITY:
            self.gone_since[model] = self.now_s
        self.tell(Loaded(model=model, size_bytes=size))

    @precondition(lambda self: self.loading)
    @rule(data=st.data(), error=ERRORS)
    def load_fails(self, data: st.DataObject, error: AdapterError) -> None:
        model = data.draw(st.sampled_from(sorted(self.loading)))
        del self.loading[model]
        self.gone(model)
        self.tell(LoadFailed(model=model, failure=Failure(error=error, at_s=self.now_s)))

    @precondition(lambda self: self.measuring)
    @rule(data=st.data(), size=st.none() | SIZES)
    def size_is_told(self, data: st.DataObject, size: int | None) -> None:
        model = self.measuring.pop(data.draw(st.integers(0, len(self.measuring) - 1)))
        if size is not None and self.cache.state(model) is EntryState.SIZING:
            self.taken[model] = size
            if size > CAPACITY:
                self.gone_since[model] = self.now_s
        self.tell(Sized(model=model, size_bytes=size))

    @precondition(lambda self: self.unloading)
    @rule(data=st.data(), fails=st.sampled_from([None, None, None, "stuck"]))
    def unload_ends(self, data: st.DataObject, fails: str | None) -> None:
        model = data.draw(st.sampled_from(sorted(self.unloading)))
        self.unloading.remove(model)
        self.files.discard(model)
        if fails:
            self.stranded[model] = self.taken[model]
        self.gone(model)
        self.tell(Unloaded(model=model, failure=fails))

    # The runtime's accidents.

    @rule(model=MODELS)
    def copy_is_lost(self, model: ModelId) -> None:
        if self.cache.state(model) in (EntryState.SIZING, EntryState.ACTIVE):
            self.files.discard(model)
            self.gone(model)
        self.tell(CopyLost(model=model))

    @rule()
    def runtime_restarts(self) -> None:
        self.unloading.clear()
        self.stranded.clear()
        for model in set(self.taken) - set(self.loading):
            self.files.discard(model)
            self.gone(model)
        self.tell(RuntimeReset())

    # What must hold.

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "cache"):
            return
        self.cache.check()
        assert self.cache.used_bytes == sum(self.taken.values()), "the cache miscounts what the runtime holds"
        assert self.cache.stranded_bytes == sum(self.stranded.values())
        for model in self.waiting:
            assert self.cache.state(model) not in (None, EntryState.ACTIVE, EntryState.SIZING), "left waiting"

    def teardown(self) -> None:
        """When all goes well from here on, everything settles."""
        if not hasattr(self, "cache"):
            return
        self.runtime_restarts()
        while any((self.pulling, self.loading, self.measuring, self.unloading, +self.pins, self.waiting)):
            self.finish_what_runs()
            self.now_s += 1.0
            self.tell(Tick())
            assert self.now_s < 1e6, "it never settles"
        self.holds()
        assert self.cache.deficit_bytes == 0
        assert self.files == set(self.taken), "files without a copy, or a copy without files"

    def finish_what_runs(self) -> None:
        for model in list(+self.pins):
            self.release_one(model)
        for model in list(self.pulling):
            self.pull_has_ended(model)
            self.files.add(model)
            self.tell(Pulled(model=model, disk_bytes=80))
        for model in list(self.loading):
            size = self.taken[model] = self.loading.pop(model)
            self.stranded.pop(model, None)
            self.tell(Loaded(model=model, size_bytes=size))
        while self.measuring:
            self.tell(Sized(model=self.measuring.pop(), size_bytes=None))
        for model in list(self.unloading):
            self.unloading.remove(model)
            self.files.discard(model)
            self.gone(model)
            self.tell(Unloaded(model=model))


CacheMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestCache = CacheMachine.TestCase
