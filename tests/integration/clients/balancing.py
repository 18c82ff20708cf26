"""tritonclient asks for one model all the while, at addresses that come and go, until SIGTERM.

    balancing.py MODEL ROWS.json       addresses on stdin, a line each time they change

What it does is what gRPC itself does: round robin among the addresses that are connected, calls that the
server has not taken when it said GOAWAY go to another one, and a new list of addresses holds for new calls
while the old channel ends its own. It tries nothing again itself: each call that fails counts.

Every tenth of a second it prints what came of it so far, as a line of JSON. A process of its own:
tritonclient registers messages of the same names as our stubs do.
"""

import asyncio
import json
import signal
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

AT_ONCE = 4
PAUSE_S = 0.02
CALL_S_MAX = 10.0
TELL_EVERY_S = 0.1
COMPLAINTS_MAX = 5
OPTIONS = [("grpc.lb_policy_name", "round_robin"), ("grpc.use_local_subchannel_pool", 1)]


@dataclass(slots=True)
class Told:
    """What came of the calls so far."""

    answered: int = 0
    wrong: int = 0
    failed: int = 0
    complaints: list[str] = field(default_factory=list)
    """Of the first that failed."""
    slowest_s: float = 0.0
    addresses: list[str] = field(default_factory=list)
    """Which are asked now."""
    asked: list[str] = field(default_factory=list)
    """And which ever were."""


class Way:
    """A channel to a list of addresses."""

    def __init__(self, addresses: list[str]) -> None:
        self.client = InferenceServerClient(f"ipv4:{','.join(addresses)}", channel_args=OPTIONS)
        self.calls = 0
        self.idle = asyncio.Event()
        self.idle.set()

    async def close(self) -> None:
        """When its calls have ended."""
        await self.idle.wait()
        await self.client.close()


class Asking:
    """A model asked, by whichever way is there."""

    def __init__(self, model: str, rows: list[list[float]], expected: list[int]) -> None:
        self.told = Told()
        self._model = model
        self._rows = np.asarray(rows)
        self._expected = expected
        self._way: Way | None = None
        self._there = asyncio.Event()

    async def resolve(self, group: asyncio.TaskGroup) -> None:
        """Take over each list of addresses that is told; never ends before the pipe does."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            addresses = sorted(line.decode().split())
            # Without any, a resolver has nothing to say: gRPC stays with what it had.
            if not addresses or addresses == self.told.addresses:
                continue
            before, self._way = self._way, Way(addresses)
            self.told.addresses = addresses
            self.told.asked = sorted({*self.told.asked, *addresses})
            self._there.set()
            if before is not None:
                group.create_task(before.close())

    async def ask(self) -> None:
        """One call after the other; never ends."""
        await self._there.wait()
        while True:
            assert self._way is not None
            way, began_s = self._way, asyncio.get_running_loop().time()
            way.calls += 1
            way.idle.clear()
            try:
                given = triton.InferInput("predict", list(self._rows.shape), "FP64")
                given.set_data_from_numpy(self._rows)
                answer = await way.client.infer(self._model, [given], client_timeout=CALL_S_MAX)
            except InferenceServerException as error:
                self.told.failed += 1
                self.told.complaints = [*self.told.complaints, str(error)][:COMPLAINTS_MAX]
            else:
                right = answer.as_numpy("predict").tolist() == self._expected
                self.told.answered += right
                self.told.wrong += not right
            finally:
                way.calls -= 1
                if way.calls == 0:
                    way.idle.set()
            took_s = asyncio.get_running_loop().time() - began_s
            self.told.slowest_s = max(self.told.slowest_s, round(took_s, 3))
            await asyncio.sleep(PAUSE_S)

    def tell(self) -> None:
        sys.stdout.write(json.dumps(asdict(self.told)) + "\n")
        sys.stdout.flush()


async def main(model: str, file: str) -> None:
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    told = json.loads(Path(file).read_text())
    asking = Asking(model, told["rows"], told["expected"])
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asking.ask()) for _ in range(AT_ONCE)]
        tasks.append(group.create_task(asking.resolve(group)))
        while not end.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(TELL_EVERY_S):
                    await end.wait()
            asking.tell()
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
