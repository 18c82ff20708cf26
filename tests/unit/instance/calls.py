"""Calls that wait for a verdict: real ones, of a relay without sockets."""

from collections.abc import Sequence

from adapter.http2.call import Call
from adapter.http2.header_blocks import FieldMemory
from adapter.http2.metadata import metadata_of
from adapter.http2.verdicts import Plan, Target
from adapter.wire.headers import Pair
from tests.fakes.relay_play import Play

RPC = "a.B/C"


def waiting_call(message: bytes = b"", metadata: Sequence[Pair] = (), *, play: Play | None = None) -> Call:
    """Its first message is there; the router has not said yet where it goes."""
    play = play or Play()
    play.router.verdict = play.router.miss
    play.router.plans[RPC] = Plan(message_first=True)
    return play.relay.local_call(
        RPC, message, metadata=metadata, timeout_s=None, answered=lambda _answer: None
    )


def told(target: Target) -> dict[str, str | bytes]:
    """What the target is told beside what the client says."""
    return dict(metadata_of(FieldMemory().fields(target.fields)))
