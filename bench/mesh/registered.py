"""Very many models registered, few loaded: how soon an instance is ready, and what memory it takes."""

from dataclasses import dataclass
from typing import Final

from bench.mesh.clients import Asking, Registered, Registering, Verdict, ask, register
from bench.mesh.headline import MIB
from bench.mesh.stage import Stage
from bench.processes import Broken

RATE: Final = 200
SECONDS: Final = 10
AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyRegistered:
    """What came of it."""

    registered: Registered
    ready_s: float
    """From the start of another process to `/ready`."""
    resident_bytes: int
    """Then."""
    asked_resident_bytes: int
    """After some of them have been asked, and so loaded."""
    verdict: Verdict


def measure(stage: Stage) -> ManyRegistered:
    """Raises `Broken`."""
    place, models = stage.place(), stage.options.amounts.registered
    with stage.registry() as registry, stage.stub() as stub:
        with stage.instance(place, registry=registry, runtime_port=stub.port) as instance:
            asked = Registering(models=models, load=False, at_once=AT_ONCE)
            registered = register([instance.address], asked)
            if registered.failed:
                raise Broken(f"they cannot be registered: {registered.examples}")
        print(
            f"{models} registered in {registered.seconds:.1f} s, {registered.models_per_s:.0f}/s", flush=True
        )
        with stage.instance(place, registry=registry, runtime_port=stub.port) as instance:
            resident_bytes = instance.process.resident_bytes()
            asking = Asking(models=models, rate=RATE, seconds=SECONDS)
            verdict = ask([instance.address], asking)
            result = ManyRegistered(
                registered=registered,
                ready_s=instance.ready_s,
                resident_bytes=resident_bytes,
                asked_resident_bytes=instance.process.resident_bytes(),
                verdict=verdict,
            )
    print(
        f"ready after {result.ready_s:.2f} s with {resident_bytes / MIB:.0f} MiB, "
        f"and {result.asked_resident_bytes / MIB:.0f} MiB after {verdict.count} mostly cold calls"
    )
    print(f"  {verdict.described}", flush=True)
    return result
