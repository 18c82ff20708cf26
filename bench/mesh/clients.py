"""The clients: what they are told to do, and what they tell of it. They are the Go program below traffic/."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from adapter.domain.records import ModelInfo
from bench.processes import ran
from tests.tools.get import obtain
from tests.tools.mesh_traffic import RECIPE
from tests.tools.recipe import cache_folder

STUB: Final = ModelInfo(type="stub", path="stub")
SECONDS_A_MODEL_MAX: Final = 0.05
"""Registering that takes longer, on average, is given up."""
PATIENCE_S: Final = 60.0
"""Beside what a client is to take."""


def program() -> str:
    """Both sides of the mesh, built anew when their source has changed."""
    cache = cache_folder()
    if not RECIPE.is_built(cache) and not obtain(RECIPE, cache):
        raise SystemExit(f"the traffic of a mesh cannot be built; see {cache / 'logs'}")
    return str(RECIPE.path(cache))


@dataclass(frozen=True, slots=True, kw_only=True)
class Registering:
    """Models 0 to so many less one (or from another number on), each to be loaded at once."""

    models: int
    first: int = 0
    at_once: int = 32
    load: bool = True
    info: ModelInfo = STUB
    """`{}` in the path stands for the number of the model's file."""
    files: int = 1

    def command(self, addresses: Sequence[str]) -> list[str]:
        """What does it."""
        flags = {
            "models": self.models,
            "first": self.first,
            "inflight": self.at_once,
            "load": self.load,
            "type": self.info.type,
            "path": self.info.path,
            "key": self.info.key,
            "files": self.files,
            "deadline": "60s",
        }
        return _command("register", addresses, flags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Questions at a rate, whatever is answered: an open loop, over models from `first` on."""

    models: int
    rate: float
    first: int = 0
    seconds: float = 0
    """0: until SIGTERM."""
    zipf: float = 0
    """Model N as often as 1/(N+1) to the power of this; 0: all alike."""
    seed: int = 1
    again: bool = False
    """A question whose connection was lost is put once more, elsewhere."""
    deadline_s: float = 10
    columns: int = 0
    """Real models, which take a row of so many FP64; 0: a stub's."""
    files: int = 1

    def command(self, addresses: Sequence[str]) -> list[str]:
        """What does it."""
        flags = {
            "models": self.models,
            "first": self.first,
            "rate": self.rate,
            "seconds": self.seconds,
            "zipf": self.zipf,
            "seed": self.seed,
            "again": self.again,
            "deadline": f"{self.deadline_s}s",
            "columns": self.columns,
            "files": self.files,
        }
        return _command("ask", addresses, flags)


def _command(deed: str, addresses: Sequence[str], flags: Mapping[str, object]) -> list[str]:
    told = [f"-{name}={_word(value)}" for name, value in flags.items()]
    return [program(), deed, f"-addresses={','.join(addresses)}", *told]


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """How registering went."""

    models: int
    seconds: float
    models_per_s: float
    failed: Mapping[str, int]
    examples: Sequence[str]
    p50_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """Of the calls that were answered well, from when they were due."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Latencies):
    """What entered through one instance."""

    count: int
    failed: int
    failed_by_code: Mapping[str, int]
    wrong: int
    lost_and_asked_again: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict(Latencies):
    """What came of the questions."""

    count: int
    failed: int
    """With the wrong answers."""
    failed_by_code: Mapping[str, int]
    wrong: int
    asked_again: int
    seconds: float
    rate: float
    entries: Mapping[str, Entry]
    """By the address that a call went to; `none`: it found no connection."""
    runtimes: Mapping[str, int]
    """By the runtime that answered."""
    p99_ms_by_second: Sequence[float]
    failed_by_second: Sequence[int]
    examples: Sequence[str]

    @classmethod
    def read(cls, text: str) -> Self:
        """What the program printed."""
        told = json.loads(text)
        told["entries"] = {address: Entry(**entry) for address, entry in told["entries"].items()}
        return cls(**told)

    def failed_but_through(self, address: str) -> int:
        """Of what entered elsewhere."""
        return sum(entry.failed for where, entry in self.entries.items() if where != address)

    @property
    def described(self) -> str:
        """In one line, with the first failures below it."""
        codes = f" {dict(self.failed_by_code)}" if self.failed else ""
        calls = f"{self.count} calls, {self.failed} failed{codes}, {self.wrong} wrong"
        times = f"p50 {self.p50_ms:.2f} ms, p99 {self.p99_ms:.2f} ms, most {self.max_ms:.0f} ms"
        line = f"{calls}, {self.asked_again} asked again; {times}"
        return "\n  ".join([line, *self.examples])


@dataclass(frozen=True, slots=True, kw_only=True)
class Coldness:
    """What first calls take beyond warm ones of the same model."""

    models: int
    failed: Mapping[str, int]
    examples: Sequence[str]
    first_ms: Latencies
    warm_ms: Latencies
    overhead_ms: Latencies
    """Of each model, the difference."""


def register(addresses: Sequence[str], asked: Registering) -> Registered:
    """Register them. Raises `Broken` if the client could not begin or end."""
    patience_s = PATIENCE_S + asked.models * SECONDS_A_MODEL_MAX
    return Registered(**json.loads(ran(asked.command(addresses), patience_s=patience_s)))


def ask(addresses: Sequence[str], asked: Asking) -> Verdict:
    """Ask for as long as it says. Raises `Broken` if the client could not begin or end."""
    assert asked.seconds > 0, "it would never end"
    return Verdict.read(ran(asked.command(addresses), patience_s=asked.seconds + PATIENCE_S))


def ask_cold(addresses: Sequence[str], *, models: int, first: int = 0) -> Coldness:
    """Ask each of these models for the first time, one after the other. Raises `Broken` likewise."""
    command = _command("cold", addresses, {"models": models, "first": first})
    told = json.loads(ran(command, patience_s=PATIENCE_S + models))
    for name in ("first_ms", "warm_ms", "overhead_ms"):
        told[name] = Latencies(**told[name])
    return Coldness(**told)
