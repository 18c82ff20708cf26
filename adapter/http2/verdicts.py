"""What becomes of a call: the questions that the relay asks of the program, and the answers to them."""

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from adapter.domain.errors import AdapterError, Code
from adapter.http2.request_head import RequestHead
from adapter.wire.headers import Pair

if TYPE_CHECKING:
    from adapter.http2.call import Call
    from adapter.http2.upstream import Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the calls of one method are treated."""

    message_first: bool = False
    """The first message is awaited before the call is routed: it names the model, or is changed."""
    unary: bool = False
    """An answer is one message: nothing of a small one goes on before it is whole, so that the call can be
    sent again until then. Where this is wrong, the first of several messages waits for the second."""
    door: "Upstream | None" = None
    """It is no inference: it goes to this door of ours as it is."""
    reading: Any = None
    """What the router knows of the method besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls."""

    names: frozenset[str] | None = None
    """Those of the client's certificate; None: it has shown none."""
    from_management: bool = False
    """It came in by the door that is for management."""
    from_peer: bool = False
    """It came in by the door that is for other instances: what they say to each other is believed."""


ANYONE = Caller()


class Refusal(NamedTuple):
    """How a call is refused."""

    code: Code
    text: str
    word: str = ""
    """See `PeerRefusal`."""


class PeerRefusal(AdapterError):
    """A call that another instance forwarded is not answered here, and it may ask elsewhere.

    The word says why: `draining`, `full`, `failed`, `unknown`. The other instance tries again with another
    one; when it cannot, its client is told the error.
    """

    def __init__(self, word: str, error: AdapterError) -> None:
        super().__init__(str(error))
        self.word = word
        self.error = error


def refusal_of(error: AdapterError) -> Refusal:
    """How a call is refused for this error."""
    if isinstance(error, PeerRefusal):
        return Refusal(error.error.code, str(error), error.word)
    return Refusal(error.code, str(error))


class Edit(NamedTuple):
    """Bytes in place of others; places are counted from the beginning of the message."""

    start: int
    end: int
    put: bytes


class Target:
    """Where a call goes, and as what. One for each try; the router hears of its end (`released`)."""

    __slots__ = ("edit", "fields", "message", "model", "timings_ms", "to_peer", "upstream", "vmodel")

    def __init__(self, upstream: "Upstream", *, model: str = "", fields: bytes = b"") -> None:
        self.upstream = upstream
        self.model = model
        self.vmodel = ""
        """The alias that the call named, if it named one."""
        self.fields = fields
        """What is added to the header block."""
        self.message: bytes | None = None
        """What the first message becomes; None: it goes as it came."""
        self.edit: Edit | None = None
        """What of the first message becomes something else; it may not be compressed."""
        self.to_peer = False
        """A peer decides again, so it is told what the client said; `fields` add what only instances say."""
        self.timings_ms: Mapping[str, float] | None = None
        """Of a call that waited for a load: milliseconds by step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The call has its answer already."""

    code: Code = Code.OK
    text: str = ""
    initial: Sequence[Pair] = ()
    trailing: Sequence[Pair] = ()
    message: bytes | None = None
    word: str = ""
    """Of a refusal: see `PeerRefusal`."""


class Router(Protocol):
    """Who decides about calls."""

    def plan(self, head: RequestHead, caller: Caller) -> Plan:
        """How this call is treated.

        Raises `AdapterError` for a method that is not offered, or not to this caller.
        """
        ...

    def route(self, call: "Call") -> Target | None:
        """Where the call goes, if that is known without waiting; None: it must be found out (`resolve`).

        Raises `AdapterError`: the call is refused.
        """
        ...

    def resolve(self, call: "Call") -> Coroutine[Any, Any, Target | Answer]:
        """Find out where the call goes, however long it takes. Raises `AdapterError`; may be cancelled."""
        ...

    def released(self, target: Target) -> None:
        """A try has ended: its model need not be kept for it any more."""
        ...

    def copy_lost(self, target: Target) -> None:
        """The runtime says that it does not hold the model of this try."""
        ...

    def peer_refused(self, call: "Call", target: Target, word: str, text: str) -> None:
        """The instance that this try went to will not answer the call, which is routed again."""
        ...

    def peer_lost(self, call: "Call", target: Target, reason: str) -> None:
        """The connection to the instance that this try went to broke; the call is routed again."""
        ...

    def answered(self, call: "Call", code: Code) -> None:
        """The call has ended; for those who count."""
        ...
