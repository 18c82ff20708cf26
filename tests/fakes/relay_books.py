"""What must hold of a relay between events: its counts are of what is there, and its queues in order."""

from collections.abc import Iterable

from adapter.http2.call import Call
from adapter.http2.connection import Connection
from adapter.http2.frames import WINDOW_MAX
from adapter.http2.relay import Relay
from tests.fakes.relay_router import FakeRouter


def open_calls(relay: Relay, local: Iterable[Call] = ()) -> list[Call]:
    """Those that have not ended."""
    streams = [stream for client in relay.clients for stream in client.streams.values()]
    calls = [stream.call for stream in streams if isinstance(stream.call, Call)]
    return [call for call in [*calls, *local] if not call.done]


def check_books(
    relay: Relay, router: FakeRouter, towards: Iterable[Connection], local: Iterable[Call] = ()
) -> None:
    """`towards` are all connections to upstreams that were ever made."""
    shared, counts, calls = relay.shared, relay.shared.counts, open_calls(relay, local)
    assert not shared.dirty
    assert counts.calls_open == len(calls)
    assert counts.calls_waiting == len(router.waiting)
    assert counts.connections_open == len(relay.clients)
    there = [connection for connection in towards if not connection.finished]
    assert counts.upstream_connections_open == len(there)
    connections: list[Connection] = [*relay.clients, *there]
    unsent = sum(stream.unsent_bytes for each in connections for stream in each.streams.values())
    held = sum(call._held_bytes for call in calls if call._held is not None)
    assert held == sum(len(chunk) for call in calls for chunk in call._held or ())
    answers = sum(call._held_answer_bytes for call in calls)
    assert answers == sum(len(chunk) for call in calls for chunk in call._held_answer or ())
    assert counts.buffered_bytes == unsent + held + answers
    assert len(router.pinned) == len([call for call in calls if call.target and call.target.model])
    for connection in there:
        for stream in connection.streams.values():
            assert stream.call.done or stream.call.upstream_stream is stream  # type: ignore[attr-defined]
    for connection in connections:
        _check_connection(connection)


def check_rest(
    relay: Relay, router: FakeRouter, towards: Iterable[Connection], local: Iterable[Call] = ()
) -> None:
    """Nothing happens any more, and nothing is left of what did."""
    towards = list(towards)
    check_books(relay, router, towards, local)
    counts = relay.shared.counts
    assert (counts.calls_open, counts.calls_waiting, counts.buffered_bytes) == (0, 0, 0)
    assert not router.pinned
    assert not any(upstream._waiting for upstream in relay.upstreams)
    for connection in [*relay.clients, *towards]:
        assert not connection.streams
        assert not connection._waiting
        assert not connection.out


def _check_connection(connection: Connection) -> None:
    assert not connection.finished
    assert connection.send_window <= WINDOW_MAX
    assert connection._receive_window >= 0
    for stream_id, stream in connection.streams.items():
        assert stream.id == stream_id
        assert stream.send_window <= WINDOW_MAX
        assert stream.receive_window >= 0
        assert stream.consumed >= 0
        assert stream.receive_window + stream.consumed <= connection.shared.limits.window_bytes
        assert stream.unsent_bytes == sum(map(len, stream.unsent or ()))
        assert (stream_id in connection._waiting) == (bool(stream.unsent) and stream.send_window > 0)
        assert not (stream.ended_out and stream.unsent)
        assert not (stream.ended_in and stream.ended_out)
        assert bool(stream.unsent) == (stream.stalled_since_s is not None)
    assert set(connection._waiting) <= set(connection.streams)
    if connection._waiting:
        assert connection.send_window <= 0 or connection.blocked
