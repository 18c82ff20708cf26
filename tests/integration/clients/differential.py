"""The same calls sent to the runtime itself and through an instance, and what differs.

The client is grpcio's synchronous one: the asyncio one loses the initial metadata, or the status, of a call
that ends while it is still being begun or written.
"""

import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import grpc

from tests.integration.clients.cases import IGNORED, Case, case
from tests.integration.echo_runtime import MESSAGE_BYTES_MAX, SERVICE, Pair

WAYS = ("direct", "relayed")
IN_FLIGHT = 16
CHANNELS = 3
"""Connections by each way; a call takes one by its number."""

SEEN_S_MAX = 10.0
DIFFERENCES_MAX = 10
"""So many are told, and then no more calls are made."""

Values = dict[str, list[str | bytes]]


@dataclass(kw_only=True)
class Outcome:
    """What came of one call, for the client and in the runtime."""

    messages: list[bytes] = field(default_factory=list)
    initial: Values = field(default_factory=dict)
    trailing: Values = field(default_factory=dict)
    code: int = 0
    details: str | None = ""
    seen: dict[str, Any] = field(default_factory=dict)


class Differential:
    """Makes the calls; `differences` are told in words."""

    def __init__(self, *, direct: Sequence[grpc.Channel], relayed: Sequence[grpc.Channel]) -> None:
        self._channels = {"direct": direct, "relayed": relayed}
        self.differences: list[str] = []
        self.made = 0

    def run(self, seed: int, numbers: Iterable[int]) -> None:
        """Some at a time."""
        ahead, turn = iter(numbers), threading.Lock()

        def work() -> None:
            while len(self.differences) < DIFFERENCES_MAX:
                with turn:
                    number = next(ahead, None)
                if number is None:
                    return
                self._compare(case(seed, number))
                with turn:
                    self.made += 1

        with ThreadPoolExecutor(IN_FLIGHT) as threads:
            for done in [threads.submit(work) for _ in range(IN_FLIGHT)]:
                done.result()

    def _compare(self, one: Case) -> None:
        direct, relayed = (self._sent(one, way) for way in WAYS)
        if told := differing(direct, relayed):
            self.differences.append(f"call {one.number} of seed {one.seed}\n    {one}\n" + "\n".join(told))

    def _sent(self, one: Case, way: str) -> Outcome:
        channels, name = self._channels[way], f"{one.seed}/{one.number}/{way}"
        outcome = Outcome()
        with _started(channels[one.number % len(channels)], one, name) as call:
            try:
                for message in call:
                    outcome.messages.append(message)
                    if one.ending == "cancel" and len(outcome.messages) == one.cancel_after:
                        break
            except grpc.RpcError:
                pass
        outcome.code = call.code().value[0]
        # Whose clock is the first says it in its own words.
        outcome.details = call.details() if one.ending != "deadline" else None
        outcome.initial = _by_key(call.initial_metadata() or ())
        outcome.trailing = _by_key(call.trailing_metadata() or ())
        outcome.seen = self._seen(one, name)
        return outcome

    def _seen(self, one: Case, name: str) -> dict[str, Any]:
        """What the runtime saw, as far as that is certain."""
        ask: Any = self._channels["direct"][0].unary_unary(f"/{SERVICE}/Seen")
        asked = {"call": name, "stage": "ended", "wait_s_max": SEEN_S_MAX}
        seen = json.loads(ask(json.dumps(asked).encode(), timeout=SEEN_S_MAX * 2))
        if seen is None:
            return {}
        seen["metadata"] = _by_key(pair for pair in seen["metadata"] if not pair[0].startswith("mm-"))
        seen["has_deadline"] = seen.pop("remaining_s") is not None
        if one.ending == "cancel" or one.plan.code:
            del seen["sizes"]  # it may not have read all
        return dict(seen)


def differing(direct: Outcome, relayed: Outcome) -> list[str]:
    """What is not the same, in words."""
    told = []
    for name in (each.name for each in fields(Outcome)):
        one, other = getattr(direct, name), getattr(relayed, name)
        if one != other:
            told.append(f"    {name} direct:  {_short(one)}\n    {name} relayed: {_short(other)}")
    return told


def _short(value: object) -> str:
    if isinstance(value, list):
        return f"{[len(each) for each in value]} bytes, {value!r:.200} ..."
    return f"{value!r:.2000}"


@contextmanager
def _started(channel: grpc.Channel, one: Case, name: str) -> Iterator[Any]:
    """The call; its client goes on sending until the block is left, if the call is to be cancelled."""
    left = threading.Event()

    def messages() -> Iterator[bytes]:
        yield from one.messages
        if one.ending == "cancel" and one.method.endswith("/Bidi"):
            left.wait()

    options = {"metadata": one.sent_metadata(name), "timeout": one.timeout_s, "compression": one.compression}
    several: Any = channel.stream_stream(f"/{one.method}")
    single: Any = channel.unary_stream(f"/{one.method}")
    call = single(one.messages[0], **options) if one.sends_one else several(messages(), **options)
    if one.ending == "cancel" and not one.cancel_after:
        call.initial_metadata()
        call.cancel()
    try:
        yield call
    finally:
        call.cancel()
        left.set()


def _by_key(pairs: Iterable[Pair]) -> Values:
    """The values of each key in their order; of different keys, the order means nothing."""
    found: Values = defaultdict(list)
    for key, value in pairs:
        if key not in IGNORED:
            found[key].append(value)
    return dict(found)


@contextmanager
def channels_to(target: str) -> Iterator[list[grpc.Channel]]:
    """Some connections, each of its own."""
    options = [
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    with ExitStack() as stack:
        yield [stack.enter_context(grpc.insecure_channel(target, options)) for _ in range(CHANNELS)]
