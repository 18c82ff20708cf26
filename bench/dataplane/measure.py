"""One run: a load on a target, with what it took, and the proof that every call was served."""

import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc

from adapter.stubs.inference import open_inference_pb2 as v2
from bench import harness
from bench.dataplane.cases import CASES, MODEL, OTHER_NAME, RATE_A_SECOND, Case, grpc_message, rest_body
from bench.dataplane.ends import Backend, put_load
from bench.dataplane.proxies import Target
from bench.dataplane.results import Run
from bench.processes import Broken

PREFIX_BYTES: Final = 5
PROBE_CALLS: Final = 4
"""In flight each, by which the first guess of a rate is made."""
CALLS_LEAST: Final = 8
"""In flight each, however slow the proxy is."""
WARM_S: Final = 0.3
SETTLE_S: Final = 0.05
GROWTH_WARM_CALLS: Final = 2000
OPEN_SECONDS_FACTOR: Final = 4
"""A quantile wants more calls than a mean."""


@dataclass(slots=True)
class Bench:
    """The backend, the time that a run may take, and the rates that were seen."""

    backend: Backend
    folder: Path
    seconds: float
    _rates: dict[tuple[str, str], float] = field(default_factory=dict)

    def run(self, target: Target, case: Case) -> Run:
        """Warm up, then measure. Raises `Broken`."""
        if case.rest:
            check_rest(target)
        else:
            self._check_answer(target, case)
        if case.open_loop:
            self.load(target, case, RATE_A_SECOND // 4)
            return self.load(target, case, round(RATE_A_SECOND * self.seconds * OPEN_SECONDS_FACTOR))
        key = (target.name, case.name)
        if key not in self._rates:
            probe = self.load(target, case, PROBE_CALLS * case.in_flight)
            self._rates[key] = probe.calls / probe.seconds
        self._measured(target, case, WARM_S)
        return self._measured(target, case, self.seconds)

    def growth(self, target: Target, case: Case, *, calls: int) -> int:
        """Bytes by which its memory grows at most, over so many calls, after small ones. Raises `Broken`."""
        assert target.process
        self.load(target, CASES["1k"], GROWTH_WARM_CALLS)
        before = target.process.resident_bytes()
        target.process.forget_peak()
        self.load(target, case, calls)
        return target.process.peak_bytes() - before

    def _check_answer(self, target: Target, case: Case) -> None:
        check_answer(target, case)
        told, wanted = self.backend.told()["model"], OTHER_NAME if case.name_in_header else MODEL
        if told != (MODEL if target.injects else wanted):
            raise Broken(f"the message that reached the backend named the model {told!r}")

    def _measured(self, target: Target, case: Case, seconds: float) -> Run:
        key = (target.name, case.name)
        calls = max(round(self._rates[key] * seconds), CALLS_LEAST * case.in_flight)
        run = self.load(target, case, calls)
        self._rates[key] = run.calls / run.seconds
        return run

    def load(self, target: Target, case: Case, calls: int) -> Run:
        """So many calls, all of them served. Raises `Broken`."""
        served = self.backend.told()["served"]
        cpu_s = target.process.cpu_s() if target.process else 0.0
        loaded = put_load(target, case, calls=calls, folder=self.folder)
        if target.process:
            time.sleep(SETTLE_S)  # until what is accounted by ticks has been
            target.process.check_alive()
            cpu_s = target.process.cpu_s() - cpu_s
        now = self.backend.told()
        if int(now["served"]) - int(served) != loaded.calls:
            raise Broken(
                f"{loaded.calls} calls were made, the backend served {int(now['served']) - int(served)}"
            )
        return Run(
            calls=loaded.calls,
            seconds=loaded.seconds,
            cpu_us=cpu_s / loaded.calls * 1e6 if target.process else None,
            busy=cpu_s / loaded.seconds if target.process else None,
            latency_us=loaded.latency_us,
        )


def check_answer(target: Target, case: Case) -> None:
    """One call with a real client: it ends well, with a response of the right size. Raises `Broken`."""
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    metadata = [(name, value) for name, _, value in (text.partition(": ") for text in case.headers)]
    with grpc.insecure_channel(target.address, options=options) as channel:
        infer: Callable[..., bytes] = channel.unary_unary(f"{harness.SERVICE}/ModelInfer")
        try:
            answer = infer(grpc_message(case)[PREFIX_BYTES:], metadata=metadata, timeout=20)
        except grpc.RpcError as error:
            raise Broken(f"a single call ended with {error}") from error
    response = v2.ModelInferResponse.FromString(answer)
    # As long as the request that reached the backend, where another name may have been put into it.
    shorter = len(OTHER_NAME) - len(MODEL) if case.name_in_header and target.injects else 0
    if len(answer) != case.message_bytes - shorter or response.model_name != MODEL:
        raise Broken(f"a call of {case.message_bytes} bytes was answered with {len(answer)}: {answer[:60]!r}")


def check_rest(target: Target) -> None:
    """One call: it is answered with as many floats as were sent. Raises `Broken`."""
    request = urllib.request.Request(
        f"http://{target.rest_address}/v2/models/{MODEL}/infer",
        data=rest_body().encode(),
        headers={"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            output = json.load(response)["outputs"][0]
    except (OSError, ValueError, LookupError) as error:
        raise Broken(f"a single REST call: {error!r}") from error
    if output["shape"] != [1, 64] or len(output["data"]) != 64:
        raise Broken(f"a REST call of 64 floats was answered with {output}")
