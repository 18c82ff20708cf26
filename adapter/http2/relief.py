"""What is ended when too much lies here: of the client that keeps the most, what keeps the most.

So a client that does not read its answers, or does not end its messages, makes room for the others. A call
that is only kept to be sent once more loses that, and goes on.
"""

from collections.abc import Collection
from typing import Final

from adapter.domain.errors import Code
from adapter.http2.flow import Stream
from adapter.http2.frames import ErrorCode
from adapter.http2.outgoing import Shared
from adapter.http2.server_side import ServerConnection

TOO_MUCH: Final = "this instance holds too much of unfinished calls; try again"

FREE_SHARE: Final = 8
"""Room is made until an eighth is free: it is not made again for each byte."""


def relieve(clients: Collection[ServerConnection], shared: Shared) -> None:
    """Make room, if clients are who takes it."""
    counts, most = shared.counts, shared.limits.buffered_bytes_max
    goal = most - most // FREE_SHARE
    while counts.buffered_bytes > goal:
        kept, client = max(((_kept_by(each), each) for each in clients), key=_first, default=(0, None))
        if not kept or client is None:
            return
        # Half of what the greatest has: then another may be the greatest.
        client_goal = max(goal, counts.buffered_bytes - kept // 2)
        for stream in sorted(client.streams.values(), key=_kept, reverse=True):
            if counts.buffered_bytes <= client_goal:
                break
            if client.streams.get(stream.id) is stream and _kept(stream):
                _relieve_of(client, stream)


def _relieve_of(client: ServerConnection, stream: Stream) -> None:
    call, shared = stream.call, client.shared
    if call.upstream_stream is not None:
        call.let_go()
        if not _kept(stream):
            return
    shared.counts.note(shared.counts.limits_hit, "buffered_bytes_max")
    if stream.unsent_bytes:
        client.reset(stream, ErrorCode.ENHANCE_YOUR_CALM)
        call.request_reset()
    else:
        call.refuse(Code.RESOURCE_EXHAUSTED, TOO_MUCH)


def _kept_by(client: ServerConnection) -> int:
    return sum(map(_kept, client.streams.values()))


def _kept(stream: Stream) -> int:
    return stream.unsent_bytes + stream.call.kept_bytes


def _first(pair: tuple[int, ServerConnection]) -> int:
    return pair[0]
