"""A runtime, a peer or a door of ours as the relay sees it: connections, and calls that wait for one.

One connection carries all calls as long as it has streams left; then more are opened, up to a bound, and
then calls wait. A connection that cannot be opened fails the calls that wait, and is tried again for the next
call, after a pause that grows.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from adapter.http2.client_side import ClientConnection
from adapter.http2.outgoing import Outlet, Shared

if TYPE_CHECKING:
    from adapter.http2.call import Call

PAUSE_S_MIN: Final = 0.05
"""Runtimes restart; a longer pause would be noticed."""
PAUSE_S_MAX: Final = 1.0


class Upstream:
    """Where calls can go."""

    def __init__(self, shared: Shared, name: str, connect: Callable[["Upstream"], None]) -> None:
        self.name = name
        """For people: an address."""
        self._shared = shared
        self._connect = connect
        """Begins to open a connection; the shell calls `connected` or `not_connected` later."""
        self._connections: list[ClientConnection] = []
        self._connecting = 0
        self._waiting: dict[Call, None] = {}
        """In their order; each can be taken out of it at once."""
        self._pause_s = 0.0
        self._paused_until_s = 0.0
        self._problem = ""

    def __repr__(self) -> str:
        return f"<Upstream {self.name}, {len(self._connections)} connections, {len(self._waiting)} waiting>"

    def open(self, call: "Call") -> None:
        """Give the call a stream, now or when there is one; it hears of a failure."""
        for connection in self._connections:
            if connection.has_room:
                connection.open(call)
                return
        limits = self._shared.limits
        if not self._connecting and self._shared.now_s < self._paused_until_s and not self._lasting:
            call.upstream_failed(self._problem)
            return
        if len(self._waiting) >= limits.waiting_calls_max:
            self._shared.counts.note(self._shared.counts.limits_hit, "waiting_calls_max")
            call.upstream_failed(f"{len(self._waiting)} calls wait for a stream to {self.name}")
            return
        self._waiting[call] = None
        self._connect_more()

    def forget(self, call: "Call") -> None:
        """The call need not wait any more."""
        self._waiting.pop(call, None)

    def connected(self, outlet: Outlet) -> ClientConnection:
        """A connection is open; the shell gives it the bytes that come."""
        self._connecting -= 1
        self._pause_s = 0.0
        connection = ClientConnection(self._shared, outlet, on_change=self._changed)
        self._connections.append(connection)
        self._serve_waiting()
        return connection

    def not_connected(self, reason: str) -> None:
        """No connection could be opened."""
        self._connecting -= 1
        self._problem = f"{self.name} cannot be reached: {reason}"
        self._pause_s = min(max(self._pause_s * 2, PAUSE_S_MIN), PAUSE_S_MAX)
        self._paused_until_s = self._shared.now_s + self._pause_s
        if not self._lasting:
            waiting = list(self._waiting)
            self._waiting.clear()
            for call in waiting:
                call.upstream_failed(self._problem)

    def unblocked(self) -> None:
        """A connection's socket takes something again."""
        self._serve_waiting()

    def close(self) -> None:
        """End all connections, and with them what is in flight."""
        for connection in list(self._connections):
            connection.lost("this instance stops")

    def tick(self, now_s: float) -> None:
        """Time has passed."""
        for connection in list(self._connections):
            connection.tick(now_s)

    def _changed(self, connection: ClientConnection) -> None:
        """A stream has become free, or a connection has ended."""
        if connection.finished:
            if connection in self._connections:
                self._connections.remove(connection)
        elif connection.goaway_received:
            connection.close_if_unused()
        self._serve_waiting()

    def _serve_waiting(self) -> None:
        while self._waiting:
            free = next((each for each in self._connections if each.has_room), None)
            if free is None:
                self._connect_more()
                return
            call = next(iter(self._waiting))
            del self._waiting[call]
            free.open(call)

    @property
    def _lasting(self) -> list[ClientConnection]:
        """Connections that do not only end what they have begun."""
        return [each for each in self._connections if not each.goaway_received]

    def _connect_more(self) -> None:
        """Open one connection for each that is full; as many calls as wait share the next."""
        there = self._lasting
        if self._connecting or len(there) >= self._shared.limits.upstream_connections_max:
            return
        if not any(each.is_new for each in there):
            self._connecting += 1
            self._connect(self)
