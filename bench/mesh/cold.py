"""What a first call takes beyond a warm one of the same model, its load taking no time."""

from typing import Final

from bench.mesh.clients import Coldness, Registering, ask_cold, register
from bench.mesh.stage import Stage
from bench.processes import Broken

WARM_UP: Final = 20
"""First calls of a new process, which are not counted."""


def measure(stage: Stage) -> Coldness:
    """The instance that is asked was started after they were registered: it knows none. Raises `Broken`."""
    place, models = stage.place(), stage.options.amounts.cold_models
    with stage.registry() as registry, stage.stub() as stub:
        with stage.instance(place, registry=registry, runtime_port=stub.port) as instance:
            registered = register([instance.address], Registering(models=WARM_UP + models, load=False))
            if registered.failed:
                raise Broken(f"they cannot be registered: {registered.examples}")
        with stage.instance(place, registry=registry, runtime_port=stub.port) as instance:
            ask_cold([instance.address], models=WARM_UP)
            cold = ask_cold([instance.address], models=models, first=WARM_UP)
    print(
        f"{cold.models} first calls: p50 {cold.first_ms.p50_ms:.2f} ms, warm {cold.warm_ms.p50_ms:.2f} ms, "
        f"beyond it p50 {cold.overhead_ms.p50_ms:.2f} ms, p99 {cold.overhead_ms.p99_ms:.2f} ms; "
        f"failed: {cold.failed or 0}",
        flush=True,
    )
    for example in cold.examples:
        print(f"  {example}")
    return cold
