"""Random calls of every kind, each made anew from its seed and number, and what came of one.

What decides is the same whoever answers, and whenever: a call is cancelled after so many responses, and a
deadline passes while the runtime waits.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import grpc

from adapter.stubs.inference import open_inference_pb2 as v2
from tests.integration.clients.meshes import MODEL
from tests.integration.echo_runtime import (
    CALL_KEY,
    CODES,
    COMPRESSIONS,
    INFER,
    PLAN_KEY,
    SERVICE,
    Pair,
    Plan,
    filling,
)

MODEL_LOST = "echo-lost"
"""Asked where the runtime says NOT_FOUND or UNAVAILABLE, so that reloading it disturbs no other call."""

MESSAGE_BYTES_MAX = 1 << 20
METADATA_BYTES_MAX = 1000
TIMEOUT_S = 30.0
DEADLINE_S = 0.5
"""Long enough for the call to reach the runtime on a busy machine."""

FOR_EVER_MS = 60_000.0

Ending = Literal["whole", "cancel", "deadline"]
LOST = {grpc.StatusCode.NOT_FOUND.value[0], grpc.StatusCode.UNAVAILABLE.value[0]}
METHODS = (*(f"{SERVICE}/{kind}" for kind in ("Unary", "ClientStream", "ServerStream", "Bidi")), INFER)
KEY_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_-."
RESERVED = ("grpc-", "mm-", "echo-", "tas-")
TEXTS = ("", "no", "100% of é\n\t\u2603 \U0001f600 were lost", "a" * 300, ' "quoted"\\ ', "%41%zz")

# What HTTP, gRPC's libraries or the mesh add for their own use.
IGNORED = {"user-agent", "server-timing", "accept-encoding", CALL_KEY}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call, and how it is to end."""

    seed: int
    number: int
    method: str
    model: str
    plan: Plan
    metadata: tuple[Pair, ...]
    messages: tuple[bytes, ...]
    compression: grpc.Compression
    ending: Ending
    cancel_after: int = 0
    """Responses that are read before the cancellation."""

    @property
    def sends_one(self) -> bool:
        return not self.method.endswith(("/ClientStream", "/Bidi"))

    @property
    def timeout_s(self) -> float:
        return DEADLINE_S if self.ending == "deadline" else TIMEOUT_S

    def sent_metadata(self, call: str) -> tuple[Pair, ...]:
        """With a name of its own for each way that the call takes."""
        pairs = [*self.metadata, (PLAN_KEY, str(self.plan)), (CALL_KEY, call)]
        return (*pairs, *([] if self.method == INFER else [("mm-model-id", self.model)]))

    def __str__(self) -> str:
        sizes = [len(message) for message in self.messages]
        return (
            f"{self.method} of {sizes} bytes, {self.compression.name}, to its end: {self.ending} "
            f"(cancelled after {self.cancel_after})\n    plan {self.plan}\n    metadata {self.metadata}"
        )


def case(seed: int, number: int) -> Case:
    """The call of this number; the same for ever."""
    rng = random.Random(f"{seed}/{number}")
    method = rng.choice(METHODS)
    plan = _plan(rng)
    model = MODEL_LOST if plan.code in LOST else MODEL
    made = Case(
        seed=seed,
        number=number,
        method=method,
        model=model,
        plan=plan,
        metadata=tuple(_metadata(rng)),
        messages=_messages(rng, method, model),
        compression=COMPRESSIONS[rng.choice(["identity", "identity", "gzip", "deflate"])],
        ending="whole",
    )
    match rng.random():
        case chance if chance < 0.02:
            return replace(made, ending="deadline", plan=replace(plan, delay_ms=FOR_EVER_MS, early=False))
        case chance if chance < 0.10:
            return _cancelled(rng, made)
    return made


def _plan(rng: random.Random) -> Plan:
    code = rng.choice(list(CODES)) if rng.random() < 0.25 else 0
    trailing = [(key, _as_text(value)) for key, value in _metadata(rng)]
    if code and rng.random() < 0.5:
        trailing.append(("grpc-status-details-bin", rng.randbytes(rng.randrange(300)).hex()))
    initial = [(key, _as_text(value)) for key, value in _metadata(rng)]
    return Plan(
        initial=initial,
        early=bool(initial) and rng.random() < 0.3,
        trailing=trailing,
        responses=rng.choice([0, 1, 1, 2, 5, 20]),
        size=rng.choice([None, None, _size(rng)]),
        compression=rng.choice([None, None, "gzip", "deflate"]),
        code=code,
        details=rng.choice(TEXTS) if code else "",
        fail_after=rng.choice([0, 0, 1, 3]),
    )


def _cancelled(rng: random.Random, made: Case) -> Case:
    """Cancelled when so many responses have come, or with none of them the initial metadata."""
    plan = replace(
        made.plan, code=0, linger_ms=FOR_EVER_MS, early=True, initial=[("early", "yes")], responses=5
    )
    several = made.method.endswith(("/ServerStream", "/Bidi"))
    coming = plan.responses if several and made.messages else int(not several)
    return replace(made, ending="cancel", model=MODEL, plan=plan, cancel_after=rng.randint(0, coming))


def _messages(rng: random.Random, method: str, model: str) -> tuple[bytes, ...]:
    if method == INFER:
        request = v2.ModelInferRequest(model_name=model, id=str(rng.random()))
        request.raw_input_contents.extend([_content(rng)])
        return (request.SerializeToString(),)
    several = method.endswith(("/ClientStream", "/Bidi"))
    return tuple(_content(rng) for _ in range(rng.choice([0, 1, 2, 3, 8]) if several else 1))


def _content(rng: random.Random) -> bytes:
    return rng.choice([rng.randbytes, filling])(_size(rng))


def _size(rng: random.Random) -> int:
    """Mostly tens of bytes; three in a thousand are the largest."""
    return min(int(10 * (rng.paretovariate(0.5) - 1)), MESSAGE_BYTES_MAX)


def _metadata(rng: random.Random) -> Iterable[Pair]:
    """Odd keys, some of them repeated, with every byte that their values may have."""
    left = METADATA_BYTES_MAX if rng.random() < 0.7 else 0
    keys = [_key(rng) for _ in range(rng.randrange(1, 6))]
    for key in rng.choices(keys, k=rng.randrange(1, 9)):
        value = rng.randbytes(rng.choice([0, 1, 2, 3, 16, 256]))
        left -= len(key) + len(value)
        if left < 0:
            return
        yield key, value if key.endswith("-bin") else _printable(rng, len(value))


def _key(rng: random.Random) -> str:
    stem = "x" + "".join(rng.choices(KEY_LETTERS, k=rng.choice([0, 1, 8, 40])))
    return f"{stem}-bin" if rng.random() < 0.4 else f"{stem}x"


def _printable(rng: random.Random, size: int) -> str:
    """HTTP takes the spaces off both ends."""
    return "".join(chr(rng.randrange(0x20, 0x7F)) for _ in range(size)).strip()


def _as_text(value: str | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else value
