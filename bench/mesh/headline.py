"""Many models registered and loaded, then asked at a steady rate: what both take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.dataplane.spread import Spread
from bench.mesh.clients import Asking, Registered, Registering, Verdict, ask, register
from bench.mesh.registry import Counted, Etcd
from bench.mesh.stage import Running, Stage
from bench.processes import Broken

ZIPF: Final = 1.1
MIB: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What came of it."""

    registered: Registered
    counted: Counted | None
    """By etcd, while they were registered and loaded; None: the registry was the instance's own."""
    runs: Sequence[Verdict]
    """All models alike, the first run right after the last load."""
    zipf: Verdict
    cpu_us: Spread
    """Of the instance, a call, by run."""
    resident_bytes: int

    @property
    def failed(self) -> int:
        return sum(self.registered.failed.values()) + sum(run.failed for run in (*self.runs, self.zipf))


def measure(stage: Stage) -> Headline:
    """One instance before a stub. Raises `Broken`."""
    with (
        stage.registry() as registry,
        stage.stub() as stub,
        stage.instance(stage.place(), registry=registry, runtime_port=stub.port) as instance,
    ):
        registered, counted = registered_and_counted(stage, instance, registry)
        if (held := stub.figures().held) != registered.models:
            raise Broken(f"{registered.models} models were loaded, and the runtime holds {held}")
        asking = Asking(
            models=registered.models, rate=stage.options.rate, seconds=stage.options.amounts.seconds
        )
        runs, cpu_us = zip(
            *(_run(instance, asking, seed) for seed in range(stage.options.amounts.runs)), strict=True
        )
        zipf, _ = _run(
            instance,
            Asking(models=asking.models, rate=asking.rate, seconds=asking.seconds, zipf=ZIPF),
            len(runs),
        )
        return Headline(
            registered=registered,
            counted=counted,
            runs=runs,
            zipf=zipf,
            cpu_us=_spread(cpu_us),
            resident_bytes=instance.process.resident_bytes(),
        )


def registered_and_counted(
    stage: Stage, instance: Running, registry: Etcd | None
) -> tuple[Registered, Counted | None]:
    """Register and load them; and what etcd has counted meanwhile. Raises `Broken`."""
    before = registry.counted() if registry else None
    asked = Registering(models=stage.options.amounts.models, at_once=stage.options.at_once)
    registered = register([instance.address], asked)
    print(
        f"{registered.models} models registered and loaded in {registered.seconds:.1f} s, "
        f"{registered.models_per_s:.0f}/s; p99 {registered.p99_ms:.0f} ms; failed: {registered.failed or 0}"
    )
    for example in registered.examples:
        print(f"  {example}")
    if registry is None or before is None:
        return registered, None
    counted = registry.settled() - before
    print(f"etcd: {counted.writes / registered.models:.2f} writes a model, {counted.syncs} syncs", flush=True)
    return registered, counted


def _run(instance: Running, asking: Asking, seed: int) -> tuple[Verdict, float]:
    cpu_s = instance.process.cpu_s()
    verdict = ask([instance.address], asking)
    cpu_us = (instance.process.cpu_s() - cpu_s) / max(verdict.count, 1) * 1e6
    kind = f"zipf {asking.zipf:g}" if asking.zipf else "uniform"
    print(f"run {seed + 1}, {kind}: {verdict.described}; {cpu_us:.0f} us CPU a call", flush=True)
    print(f"  p99 by second, ms: {', '.join(f'{ms:.1f}' for ms in verdict.p99_ms_by_second)}", flush=True)
    return verdict, cpu_us


def _spread(values: Sequence[float]) -> Spread:
    spread = Spread.of(values)
    assert spread is not None
    return spread
