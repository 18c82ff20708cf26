"""The relay: clients on one side, upstreams on the other, and a router that says which call goes where."""

from collections.abc import Callable, Sequence
from typing import Final

from adapter.domain.errors import AdapterError, Code
from adapter.http2.call import Call
from adapter.http2.flow import ClientSide, Limits, Patience
from adapter.http2.local_client import LocalClient, local_stream
from adapter.http2.outgoing import Outlet, Shared
from adapter.http2.relief import TOO_MUCH, relieve
from adapter.http2.request_head import HeadReader, RequestHead, encode_request
from adapter.http2.server_side import ServerConnection
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import ANYONE, Answer, Caller, Plan, Refusal, Router, refusal_of
from adapter.wire.grpc_messages import prefix
from adapter.wire.headers import Pair

TICK_S: Final = 0.5
"""How often `tick` is to be called: no deadline and no limit of time is kept more exactly."""

RELIEVE_PAUSE_S: Final = 0.05
"""What cannot be relieved is not tried again sooner."""


class Relay:
    """All connections of one process."""

    def __init__(self, router: Router, limits: Limits | None = None) -> None:
        self.shared = Shared(limits or Limits())
        self.shared.relieve = self._relieve
        self.router = router
        self._reader = HeadReader(self.shared.heads, list_bytes_max=_LOCAL_LIST_BYTES_MAX)
        self._reader.blocks.stateless = True
        self._bare_heads: dict[str, RequestHead] = {}
        self.clients: set[ServerConnection] = set()
        self.upstreams: list[Upstream] = []
        self._relieve_next_s = 0.0

    def __repr__(self) -> str:
        return f"<Relay {len(self.clients)} clients, {self.shared.counts.calls_open} calls>"

    def client(self, outlet: Outlet, *, caller: Caller = ANYONE) -> ServerConnection:
        """A client has connected."""
        return ServerConnection(self, outlet, caller=caller)

    def upstream(
        self, name: str, connect: Callable[[Upstream], None], *, peer: Patience | None = None
    ) -> Upstream:
        """Something that calls can go to; another instance is given the patience that there is with it."""
        upstream = Upstream(self.shared, name, connect, peer=peer)
        self.upstreams.append(upstream)
        return upstream

    def drop_upstream(self, upstream: Upstream) -> None:
        """No call goes there any more; what it has begun to answer may end."""
        upstream.leave()
        self._forget_left()

    def _forget_left(self) -> None:
        self.upstreams = [upstream for upstream in self.upstreams if not upstream.is_over]

    def call(self, client: ServerConnection, head: RequestHead) -> Call:
        """A call that a client begins."""
        return self._planned(client, head, client.caller)

    def local_call(
        self,
        rpc: str,
        message: bytes,
        *,
        metadata: Sequence[Pair],
        timeout_s: float | None,
        answered: Callable[[Answer], None],
        inner: bool = False,
    ) -> Call:
        """A call that begins in this process; `answered` is called once, perhaps before this returns.

        An `inner` one is part of another call.
        """
        head = self._local_head(rpc, metadata, timeout_s)
        client = LocalClient(self.shared, answered)
        call = self._planned(client, head, ANYONE)
        call.inner = inner
        if self.shared.is_full:
            call.refusal = Refusal(Code.RESOURCE_EXHAUSTED, TOO_MUCH)
        return self._begun(call, message)

    def ask(
        self,
        upstream: Upstream,
        rpc: str,
        message: bytes,
        *,
        timeout_s: float | None,
        answered: Callable[[Answer], None],
    ) -> Call:
        """A call of ours to this upstream, which nobody routes or counts, and which is tried once."""
        head = self._local_head(rpc, (), timeout_s)
        self.shared.counts.calls_begun += 1
        self.shared.counts.calls_open += 1
        client = LocalClient(self.shared, answered)
        call = Call(self.shared, self.router, client, head, Plan(door=upstream))
        call.inner = True
        return self._begun(call, message)

    def _begun(self, call: Call, message: bytes) -> Call:
        call.client_stream = local_stream(call)
        call.begin()
        call.request_data(prefix(len(message)) + message, end=True)
        return call

    def _local_head(self, rpc: str, metadata: Sequence[Pair], timeout_s: float | None) -> RequestHead:
        """Most calls from inside differ in nothing but their method."""
        is_bare = not metadata and timeout_s is None
        head = self._bare_heads.get(rpc) if is_bare else None
        if head is None:
            head = self._reader.read(encode_request(rpc, metadata, timeout_s), 0)
            if is_bare and len(self._bare_heads) < _BARE_HEADS_MAX:
                self._bare_heads[rpc] = head
        return head

    def _planned(self, client: ClientSide, head: RequestHead, caller: Caller) -> Call:
        counts = self.shared.counts
        counts.calls_begun += 1
        counts.calls_open += 1
        refusal: Refusal | None = None
        plan = _NO_PLAN
        if head.problem:
            refusal = Refusal(Code.INVALID_ARGUMENT, head.problem)
        else:
            try:
                plan = self.router.plan(head, caller)
            except AdapterError as error:
                refusal = refusal_of(error)
        call = Call(self.shared, self.router, client, head, plan)
        call.caller = caller
        call.refusal = refusal
        return call

    def tick(self, now_s: float) -> None:
        """Time has passed."""
        for client in list(self.clients):
            client.tick(now_s)
        for upstream in list(self.upstreams):
            upstream.tick(now_s)
        if any([upstream.is_over for upstream in self.upstreams]):  # noqa: C419 - mypyc would make it one anyway
            self._forget_left()

    def _relieve(self) -> None:
        """Once in a while is enough: it takes long, and who is not a client has limits of its own."""
        if self.shared.now_s >= self._relieve_next_s:
            relieve(self.clients, self.shared)
            if self.shared.is_full:
                self._relieve_next_s = self.shared.now_s + RELIEVE_PAUSE_S

    def drain(self, by_s: float) -> None:
        """Ask all clients to go elsewhere, and let what they have begun end until then."""
        for client in list(self.clients):
            client.drain(by_s)

    def close(self) -> None:
        """End everything at once."""
        for client in list(self.clients):
            client.lost("this instance stops")
        for upstream in list(self.upstreams):
            upstream.close()


_NO_PLAN = Plan()
_BARE_HEADS_MAX = 64
"""Methods that are called from inside without metadata: few, and the program's own."""
_LOCAL_LIST_BYTES_MAX = 1024 * 1024
"""Who calls from inside has limits of its own."""
