"""One sitting: everything is started, and measured in turns."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from bench.dataplane.cases import CASES, Case
from bench.dataplane.ends import backend
from bench.dataplane.measure import Bench
from bench.dataplane.options import MEMORY, Options
from bench.dataplane.proxies import PLAIN, PROXIES, Start, Target, ours, ours_plain
from bench.dataplane.results import Results, Run
from bench.processes import Broken, Watched

GROWING: Final = ("nginx", "ours")
"""Whose memory is looked at."""
GROWTH_CALLS: Final = {"4m-one": 40, "4m": 80}
OURS: Final = {"ours": ours, PLAIN: ours_plain}


class Sitting:
    """The options, the bench, and what came out so far."""

    def __init__(self, options: Options, bench: Bench) -> None:
        self._options = options
        self._bench = bench
        self.results = Results()

    def measure(self, targets: Sequence[Target]) -> None:
        """All rounds; in each, who comes first changes."""
        self.results.compiled = next((each.compiled for each in targets if each.name == "ours"), None)
        for number in range(self._options.rounds):
            print(f"round {number + 1} of {self._options.rounds}", flush=True)
            first = number % len(targets)
            turns = [*targets[first:], *targets[:first]]
            for name in self._options.cases:
                if name == MEMORY:
                    self._grow(number)
                    continue
                for target in turns:
                    if self._options.asks(target.name, name):
                        self._run(target, CASES[name], number)

    def _run(self, target: Target, case: Case, number: int) -> None:
        if case.rest and target.rest_address is None:
            return
        try:
            run = self._bench.run(target, case)
        except Broken as error:
            self.results.fail(target.name, case.name, number, error)
            print(f"  {case.name:18} {target.name:10} FAILED: {error}", flush=True)
        else:
            self.results.add(target.name, case.name, number, run)
            print(f"  {case.name:18} {target.name:10} {_described(run)}", flush=True)

    def _grow(self, number: int) -> None:
        """How the memory of a new process grows: after small calls, over large ones."""
        for name in GROWING:
            if name not in self._options.proxies or (self._options.target and name == "ours"):
                continue
            try:
                self._grow_one(name, number)
            except Broken as error:
                self.results.fail(name, MEMORY, number, error)
                print(f"  {MEMORY:18} {name:10} FAILED: {error}", flush=True)

    def _grow_one(self, name: str, number: int) -> None:
        for case, calls in GROWTH_CALLS.items():
            with started_proxy(name, self._options, self._bench) as target:
                grown_bytes = self._bench.growth(target, CASES[case], calls=calls)
            self.results.add_growth(name, case, number, grown_bytes)
            print(f"  {MEMORY:18} {name:10} {case}: {grown_bytes / 2**20:+.1f} MiB", flush=True)


def _described(run: Run) -> str:
    rate = f"{run.calls} calls, {run.calls / run.seconds:.0f}/s"
    if run.cpu_us is not None and run.busy is not None:
        rate = f"{run.cpu_us:9.1f} us CPU a call, core {100 * run.busy:.0f} % busy, {rate}"
    if run.latency_us:
        rate += f", p50 {run.latency_us['p50'] / 1e3:.3f} ms, p99 {run.latency_us['p99'] / 1e3:.3f} ms"
    return rate


@contextmanager
def started_proxy(name: str, options: Options, bench: Bench) -> Iterator[Target]:
    """One proxy with a folder of its own. Raises `Broken`."""
    start: Start = partial(OURS[name], command=options.instance) if name in OURS else PROXIES[name]
    with (
        tempfile.TemporaryDirectory(prefix=f"{name}-", dir=bench.folder) as folder,
        start(Path(folder), bench.backend.address) as target,
    ):
        yield replace(target, name=name)


@contextmanager
def started_all(options: Options, bench: Bench) -> Iterator[list[Target]]:
    """The proxies that were asked for. Raises `Broken`."""
    with ExitStack() as running:
        targets = []
        for name in options.proxies:
            if name == "ours" and options.target and options.pid:
                process = Watched(options.pid)
                targets.append(
                    Target(
                        name="ours",
                        address=options.target,
                        process=process,
                        rest_address=options.rest_target,
                        injects=True,
                    )
                )
            elif name == "aio":
                targets.append(running.enter_context(_faster_aio(options, bench)))
            else:
                targets.append(running.enter_context(started_proxy(name, options, bench)))
        yield targets


@contextmanager
def _faster_aio(options: Options, bench: Bench) -> Iterator[Target]:
    """`grpc.aio` on the event loop with which it takes less."""
    with ExitStack() as running:
        costs = {}
        for name in ("aio", "aio-uvloop"):
            target = running.enter_context(started_proxy(name, options, bench))
            costs[name] = bench.run(target, CASES["1k"]).cpu_us or 0.0
        chosen = min(costs, key=lambda name: costs[name])
        print(f"grpc.aio: {costs['aio']:.0f} us a call, {costs['aio-uvloop']:.0f} on uvloop; taking {chosen}")
        running.close()
        with started_proxy(chosen, options, bench) as target:
            yield replace(target, name="aio")


@contextmanager
def backed(options: Options) -> Iterator[Bench]:
    """The backend, and what measures before it."""
    with (
        tempfile.TemporaryDirectory(prefix="remesh-dataplane-") as name,
        backend(Path(name), port=options.backend_port) as behind,
    ):
        yield Bench(backend=behind, folder=Path(name), seconds=options.seconds)
