"""How other instances are asked for deeds: one connection each, opened when it is first needed.

The calls take the way of the relay, whose connections know soon when an instance does not answer, and speak
the TLS of the instances. They are connections apart from those that carry requests.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeVar

from google.protobuf.message import DecodeError, Message

from adapter.domain.errors import Code, PeerUnreachable, told_elsewhere
from adapter.domain.ids import InstanceId, ModelId
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Answer
from adapter.mesh.explain_facts import Recalled
from adapter.stubs.mesh import mesh_pb2 as mesh

HELLO_S_MAX: Final = 2.0
"""How long an instance may take to say who it is, connecting included."""
CHANNELS_MAX: Final = 1000
"""Instances that are connected at once."""

_SERVICE: Final = "mesh.Peer"


TlsT_contra = TypeVar("TlsT_contra", contravariant=True)
MessageT = TypeVar("MessageT", bound=Message)


class PeerCalls(Protocol[TlsT_contra]):
    """What the relay offers (`RelayServer`)."""

    def peer(self, address: str, *, tls: TlsT_contra | None, name: str) -> Upstream:
        """Another instance, at `host:port`."""
        ...

    def drop(self, upstream: Upstream) -> None:
        """Call it no more; what it has begun to answer may end."""
        ...

    async def ask(
        self, upstream: Upstream, method: str, message: bytes, *, timeout_s: float | None
    ) -> Answer:
        """Call it once. Never raises for what became of the call."""
        ...


class PeerChannels:
    """The channels to all other instances, by their ids."""

    def __init__(self) -> None:
        self._calls: PeerCalls[Any] | None = None
        self._tls: object = None
        self._addresses: Mapping[InstanceId, str] = {}
        self._open: dict[InstanceId, tuple[str, Upstream]] = {}

    def __repr__(self) -> str:
        return f"<PeerChannels to {', '.join(self._open) or 'nobody'}>"

    def join(self, calls: PeerCalls[TlsT_contra], *, tls: TlsT_contra | None) -> None:
        """From now on instances can be asked."""
        self._calls, self._tls = calls, tls

    def keep(self, addresses: Mapping[InstanceId, str]) -> None:
        """These instances are there, at `host:port`; channels to others, or to elsewhere, are closed."""
        self._addresses = addresses
        for instance, (address, upstream) in list(self._open.items()):
            if addresses.get(instance) != address:
                del self._open[instance]
                self._joined.drop(upstream)

    async def hello(self, address: str, *, timeout_s: float = HELLO_S_MAX) -> tuple[InstanceId, str]:
        """Who answers at this address: the instance's id and its boot. Raises `PeerUnreachable`."""
        calls = self._joined
        upstream = calls.peer(address, tls=self._tls, name=f"the instance at {address}")
        try:
            said = await self._asked(upstream, "hello", mesh.HelloRequest(), timeout_s)
        finally:
            calls.drop(upstream)
        response = _read(mesh.HelloResponse, said, upstream.name)
        return InstanceId(response.instance), response.boot

    async def load(  # noqa: PLR0913 - each by name
        self,
        instance: InstanceId,
        model: ModelId,
        *,
        record: bytes = b"",
        last_used_ms: int = 0,
        wait: bool = False,
        because: str = "",
        timeout_s: float | None,
    ) -> bool:
        """Have a copy loaded there; whether it is loaded already, which it is if `wait`.

        Without `wait` it answers as soon as the load is queued. Raises `PeerUnreachable`, or what that
        instance says against it.
        """
        upstream = self._channel(instance)
        request = mesh.LoadRequest(
            model=model, record=record, last_used_ms=last_used_ms, wait=wait, because=because
        )
        response = _read(
            mesh.LoadResponse, await self._asked(upstream, "load", request, timeout_s), upstream.name
        )
        if response.outcome == mesh.LoadResponse.REFUSED:
            raise told_elsewhere(_code(response.code), response.text)
        return response.outcome == mesh.LoadResponse.LOADED

    async def recall(self, instance: InstanceId, model: ModelId, *, timeout_s: float) -> Recalled:
        """What that instance itself knows of the model. Raises `PeerUnreachable`."""
        upstream = self._channel(instance)
        said = await self._asked(upstream, "recall", mesh.RecallRequest(model=model), timeout_s)
        response = _read(mesh.RecallResponse, said, upstream.name)
        return Recalled(
            state=response.state,
            since=response.since,
            departed=response.departed,
            departed_ms=response.departed_ms,
            size_bytes=response.size_bytes,
        )

    @property
    def _joined(self) -> PeerCalls[Any]:
        if self._calls is None:
            raise PeerUnreachable("this instance is not yet able to ask others")
        return self._calls

    def _channel(self, instance: InstanceId) -> Upstream:
        known = self._open.get(instance)
        if known is not None:
            return known[1]
        address = self._addresses.get(instance)
        if address is None:
            raise PeerUnreachable(f"instance {instance} is not there any more")
        if len(self._open) >= CHANNELS_MAX:
            raise PeerUnreachable(f"instance {instance}: {CHANNELS_MAX} others are connected already")
        upstream = self._joined.peer(address, tls=self._tls, name=f"instance {instance}")
        self._open[instance] = (address, upstream)
        return upstream

    async def _asked(
        self, upstream: Upstream, method: str, request: Message, timeout_s: float | None
    ) -> bytes:
        answer = await self._joined.ask(
            upstream, f"{_SERVICE}/{method}", request.SerializeToString(), timeout_s=timeout_s
        )
        if answer.code is Code.OK and answer.message is not None:
            return answer.message
        text = answer.text or answer.code.name
        if answer.code is Code.DEADLINE_EXCEEDED:
            text = f"no answer within {timeout_s:g} s" if timeout_s is not None else "no answer in time"
        raise PeerUnreachable(f"{upstream.name} did not answer {method}: {text}")


def _read(kind: type[MessageT], said: bytes, name: str) -> MessageT:
    message = kind()
    try:
        message.ParseFromString(said)
    except DecodeError as error:
        raise PeerUnreachable(f"what {name} answers cannot be read") from error
    return message


def _code(number: int) -> Code:
    try:
        return Code(number)
    except ValueError:
        return Code.INTERNAL
