"""A runtime, a peer or a door of ours as the relay sees it: connections, and calls that wait for one.

One connection carries all calls as long as it has streams left; then more are opened, up to a bound, and
then calls wait. A connection that cannot be opened fails the calls that wait, and is tried again for the next
call, after a pause that grows. One that ends before the other side has greeted could not be opened.

A peer, which is another instance, is given less time to show that it lives, since its calls can go elsewhere.
While it `is_down` calls avoid it; so it is tried now and then without a call, until it answers.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from adapter.http2.client_side import ClientConnection
from adapter.http2.connection import SILENT
from adapter.http2.flow import Patience
from adapter.http2.frames import ErrorCode
from adapter.http2.outgoing import Outlet, Shared

if TYPE_CHECKING:
    from adapter.http2.call import Call

PAUSE_S_MIN: Final = 0.05
"""Runtimes restart; a longer pause would be noticed."""
PAUSE_S_MAX: Final = 1.0

LATE_S_MAX: Final = 1.0
"""When `tick` is called less often, it is we who stand still, and a peer's silence says nothing."""


class Upstream:
    """Where calls can go."""

    def __init__(
        self,
        shared: Shared,
        name: str,
        connect: Callable[["Upstream"], None],
        *,
        peer: Patience | None = None,
    ) -> None:
        self.name = name
        """For people: an address."""
        self.is_down = False
        """It could not be reached, or did not answer, and has not been heard of since."""
        self._shared = shared
        self._connect = connect
        """Begins to open a connection; the shell calls `connected` or `not_connected` later."""
        self._peer = peer
        """Of another instance: the patience with it."""
        self._connections: list[ClientConnection] = []
        self._connecting = 0
        self._waiting: dict[Call, None] = {}
        """In their order; each can be taken out of it at once."""
        self._pause_s = 0.0
        self._paused_until_s = 0.0
        self._problem = ""
        self._has_left = False
        self._ticked_s = shared.now_s

    def __repr__(self) -> str:
        return f"<Upstream {self.name}, {len(self._connections)} connections, {len(self._waiting)} waiting>"

    @property
    def in_flight(self) -> int:
        """How many calls it answers now, or is to answer."""
        count = len(self._waiting)
        for connection in self._connections:
            count += len(connection.streams)
        return count

    @property
    def is_over(self) -> bool:
        """It has left, and has answered all that it had begun."""
        return self._has_left and not self._connections and not self._connecting

    def open(self, call: "Call") -> None:
        """Give the call a stream, now or when there is one; it hears of a failure."""
        for connection in self._connections:
            if connection.has_room:
                connection.open(call)
                return
        limits = self._shared.limits
        if self._has_left or self._is_pausing:
            call.upstream_failed(self._problem)
            return
        if len(self._waiting) >= limits.waiting_calls_max:
            self._shared.counts.note(self._shared.counts.limits_hit, "waiting_calls_max")
            call.upstream_failed(f"{len(self._waiting)} calls wait for a stream to {self.name}")
            return
        self._waiting[call] = None
        self._connect_more()

    @property
    def _is_pausing(self) -> bool:
        return not self._connecting and self._shared.now_s < self._paused_until_s and not self._lasting

    def forget(self, call: "Call") -> None:
        """The call need not wait any more."""
        self._waiting.pop(call, None)

    def connected(self, outlet: Outlet) -> ClientConnection:
        """A connection is open; the shell gives it the bytes that come."""
        self._connecting -= 1
        connection = ClientConnection(
            self._shared, outlet, name=self.name, on_change=self._changed, patience=self._peer
        )
        self._connections.append(connection)
        if self._has_left:
            connection.fail(ErrorCode.NO_ERROR, "")
        return connection

    def not_connected(self, reason: str) -> None:
        """No connection could be opened."""
        self._connecting -= 1
        self._not_reached(reason)

    def _not_reached(self, reason: str) -> None:
        self._pause_s = min(max(self._pause_s * 2, PAUSE_S_MIN), PAUSE_S_MAX)
        self._paused_until_s = self._shared.now_s + self._pause_s
        if not self._lasting:
            self._down(f"{self.name} cannot be reached: {reason}")

    def _down(self, problem: str) -> None:
        self.is_down = True
        self._fail_waiting(problem)

    def _fail_waiting(self, problem: str) -> None:
        self._problem = problem
        waiting = list(self._waiting)
        self._waiting.clear()
        for call in waiting:
            call.upstream_failed(problem)

    def unblocked(self) -> None:
        """A connection's socket takes something again."""
        self._serve_waiting()

    def leave(self) -> None:
        """No call goes there any more. What it has begun to answer may end."""
        self._has_left = True
        for connection in list(self._connections):
            connection.goaway_received = True  # as good as
            connection.close_if_unused()
        self._fail_waiting(f"{self.name} has left")

    def close(self) -> None:
        """End all connections, and with them what is in flight."""
        for connection in list(self._connections):
            connection.lost("this instance stops")

    def tick(self, now_s: float) -> None:
        """Time has passed."""
        late_s, self._ticked_s = now_s - self._ticked_s - LATE_S_MAX, now_s
        if self._peer is None:
            for connection in list(self._connections):
                connection.tick(now_s)
        else:
            self._tick_peer(now_s, late_s)

    def _tick_peer(self, now_s: float, late_s: float) -> None:
        silent_since_s: float | None = None
        for connection in list(self._connections):
            if late_s > 0:
                connection.excuse(late_s)
            asked_s = connection.asked_s
            connection.tick(now_s)
            if connection.finished and asked_s is not None:
                silent_since_s = asked_s
        if silent_since_s is not None:
            for connection in list(self._connections):
                if connection.heard_s < silent_since_s:  # it is asked only while it has calls
                    connection.fail(ErrorCode.NO_ERROR, SILENT)
        if self.is_down and not self._has_left and now_s >= self._paused_until_s:
            self._connect_more()

    def _changed(self, connection: ClientConnection) -> None:
        """It has greeted, a stream has become free, or the connection has ended."""
        if connection.finished:
            if connection in self._connections:
                self._connections.remove(connection)
                self._ended(connection)
        elif connection.goaway_received:
            connection.close_if_unused()
        elif (self.is_down or self._pause_s) and not connection.is_new:
            self.is_down, self._pause_s = False, 0.0
        self._serve_waiting()

    def _ended(self, connection: ClientConnection) -> None:
        """A connection has ended; whether by agreement, or because something broke."""
        if connection.goaway_received or self._lasting:
            return
        if connection.is_new:
            self._not_reached(connection.end_reason)
        elif self._peer is not None:
            self._down(f"the connection to {self.name} ended: {connection.end_reason}")

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
