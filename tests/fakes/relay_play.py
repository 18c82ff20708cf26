"""A relay with clients and runtimes, without sockets, tasks or a clock; `check` holds it to its books."""

from adapter.http2.call import Call
from adapter.http2.connection import Connection
from adapter.http2.flow import PEER_PATIENCE, Limits
from adapter.http2.relay import TICK_S, Relay
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import ANYONE, Answer, Caller, Target
from tests.fakes.relay_books import check_books, check_rest
from tests.fakes.relay_outlet import FakeOutlet
from tests.fakes.relay_peers import FakeClient, FakeRuntime, FramePeer
from tests.fakes.relay_router import FakeRouter


class Play:
    """What a test says happens, and all that follows from it."""

    def __init__(
        self, limits: Limits | None = None, *, runtime_settings: dict[int, int] | None = None
    ) -> None:
        self.router = FakeRouter()
        self.relay = Relay(self.router, limits)
        self.shared = self.relay.shared
        self.shared.now_s = 1000.0
        self.shared.resolve = self.begin_wait
        self.counts = self.shared.counts
        self.upstream = self.router.upstream = self.relay.upstream("runtime", self._connect)
        self.connecting: list[Upstream] = []
        self.connects = True
        """Connections to upstreams are opened as soon as they are asked for."""
        self.frozen: set[str] = set()
        """Upstreams where connections are taken, and nothing is said."""
        self.runtime_settings = runtime_settings
        self.clients: list[FakeClient] = []
        self.runtimes: list[FakeRuntime] = []
        self.local_calls: list[Call] = []
        self.given_up: list[Call] = []
        """Calls that do not wait any more, before they were resolved."""

    # Who takes part.

    def client(self, settings: dict[int, int] | None = None, *, caller: Caller = ANYONE) -> FakeClient:
        """A client that has greeted."""
        client = self.stranger(caller=caller)
        client.greet(settings)
        return client

    def stranger(self, *, caller: Caller = ANYONE) -> FakeClient:
        """A client that has said nothing yet."""
        outlet = FakeOutlet()
        client = FakeClient(outlet, self.settle)
        client.connection = self.relay.client(outlet, caller=caller)
        self.clients.append(client)
        return client

    @property
    def runtime(self) -> FakeRuntime:
        """The one connection to the runtime, or the newest."""
        return self.runtimes[-1]

    def peer(self, name: str) -> Upstream:
        """Another instance."""
        return self.relay.upstream(name, self._connect, peer=PEER_PATIENCE)

    def at(self, name: str) -> FakeRuntime:
        """The newest connection to the upstream of this name."""
        return [runtime for runtime in self.runtimes if runtime.name == name][-1]

    def _connect(self, upstream: Upstream) -> None:
        self.connecting.append(upstream)

    def connect(self) -> FakeRuntime:
        """The connection that was asked for first is there."""
        outlet, upstream = FakeOutlet(), self.connecting.pop(0)
        runtime = FakeRuntime(outlet, self.settle, name=upstream.name)
        runtime.connection = upstream.connected(outlet)
        self.runtimes.append(runtime)
        self.shared.flush()
        if runtime.name not in self.frozen:
            runtime.greet(self.runtime_settings)
        return runtime

    def refuse_connection(self, reason: str = "nobody is there") -> None:
        self.connecting.pop(0).not_connected(reason)
        self.settle()

    # What happens.

    def settle(self) -> None:
        """Let everything happen that follows from what has happened."""
        moving = True
        while moving:
            self.shared.flush()
            peers: list[FramePeer] = [*self.clients, *self.runtimes]
            moving = any([peer.look() for peer in peers])  # noqa: C419 - all of them are to look
            if self.connects and self.connecting:
                self.connect()
                moving = True

    def lose(self, peer: FramePeer, reason: str = "reset by peer") -> None:
        """The socket breaks."""
        peer.outlet.closed = True
        peer.connection.outlet = FakeOutlet()
        peer.connection.lost(reason)
        self.settle()

    def block(self, peer: FramePeer) -> None:
        """The socket takes no more."""
        peer.connection.blocked = True

    def unblock(self, peer: FramePeer) -> None:
        peer.connection.blocked = False
        peer.connection.pump()
        self.settle()

    def tick_for(self, seconds: float) -> None:
        """Time passes as it does outside: a tick at a time."""
        for _ in range(round(seconds / TICK_S)):
            self.pass_s(TICK_S)

    def pass_s(self, seconds: float) -> None:
        """Time passes."""
        self.shared.now_s += seconds
        self.relay.tick(self.shared.now_s)
        self.settle()

    def begin_wait(self, call: Call) -> None:
        """What the shell's task does."""

        def give_up() -> None:
            self.router.waiting.remove(call)
            self.given_up.append(call)

        call.cancel_resolving = give_up
        self.router.waiting.append(call)

    def resolve(self, verdict: Target | Answer | None = None) -> None:
        """The call that waits longest has its verdict; by default, to go to the runtime."""
        self.router.waiting.pop(0).resolved(self.router.target() if verdict is None else verdict)
        self.settle()

    # What must hold.

    def check(self) -> None:
        """Whether the relay's books are right."""
        check_books(self.relay, self.router, self._towards, self.local_calls)

    def check_rest(self) -> None:
        """Nothing happens any more, and nothing is left of what did."""
        check_rest(self.relay, self.router, self._towards, self.local_calls)

    @property
    def _towards(self) -> list[Connection]:
        return [runtime.connection for runtime in self.runtimes]
