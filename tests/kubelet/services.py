"""Services, as pods and this machine reach them: addresses that lead to endpoints, names in hosts files.

Each port of a Service with an address of its own is a listener on that address, and each connection goes to
one of the ready endpoints in turn. Names are those of a cluster's DNS.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from tests.kubelet.api import Followed, Name
from tests.kubelet.network import Network, NoNetwork

log = logging.getLogger(__name__)

Manifest = Mapping[str, Any]
Backend = tuple[str, int]

API_SERVER: Name = ("default", "kubernetes")
SERVICE_OF = "kubernetes.io/service-name"
DOMAIN = "cluster.local"
CONNECT_S_MAX = 5.0
PIECE_BYTES = 1 << 16


class Services:
    """The Services of a cluster on this machine."""

    def __init__(self, network: Network, api_server: Backend) -> None:
        self.followed = Followed("/api/v1/services")
        self.slices = Followed("/apis/discovery.k8s.io/v1/endpointslices")
        self._network = network
        self._api_server = api_server
        self._listeners: dict[Backend, Listener] = {}
        self._addresses: set[str] = set()
        self._changed = asyncio.Event()
        self._told: list[Callable[[], None]] = []
        for each in (self.followed, self.slices):
            each.on_change(lambda _: self._changed.set())

    def on_change(self, tell: Callable[[], None]) -> None:
        """Call this when names may lead elsewhere."""
        self._told.append(tell)

    async def serve(self) -> None:
        """Listen on all addresses; never ends."""
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._listen()
                for tell in self._told:
                    tell()
        finally:
            for listener in self._listeners.values():
                listener.close()

    async def _listen(self) -> None:
        wanted = dict(self._wanted())
        for place in self._listeners.keys() - wanted.keys():
            self._listeners.pop(place).close()
        for place, backends in wanted.items():
            if place in self._listeners:
                self._listeners[place].backends = backends
                continue
            self._listeners[place] = Listener(backends)
            # Two kubelets may have the same addresses, for pods of their own; this machine reaches one.
            for device in (self._network.bridge, "lo"):
                try:
                    self._have(place[0])
                    await self._listeners[place].listen(place, device=device)
                except (OSError, NoNetwork) as error:
                    log.warning("the Service at %s:%d is not reached by %s: %s", *place, device, error)
        for address in self._addresses - {address for address, _ in wanted}:
            self._network.remove_address(address)
            self._addresses.discard(address)

    def _have(self, address: str) -> None:
        if address not in self._addresses:
            self._network.add_address(address)
            self._addresses.add(address)

    def _wanted(self) -> Iterator[tuple[Backend, list[Backend]]]:
        for name, service in self.followed.objects.items():
            for port in service["spec"].get("ports") or []:
                if (address := own_address(service)) and port.get("protocol", "TCP") == "TCP":
                    yield (address, port["port"]), self._backends(name, port)

    def _backends(self, name: Name, port: Manifest) -> list[Backend]:
        if name == API_SERVER:
            return [self._api_server]
        found: list[Backend] = []
        for each in self._slices_of(name):
            numbers = [
                row["port"] for row in each.get("ports") or [] if row.get("name", "") == port.get("name", "")
            ]
            found += [(address, number) for number in numbers for address, _ in ready_endpoints(each)]
        return sorted(found)

    def _slices_of(self, name: Name) -> list[Manifest]:
        return [
            each
            for (namespace, _), each in self.slices.objects.items()
            if namespace == name[0] and (each["metadata"].get("labels") or {}).get(SERVICE_OF) == name[1]
        ]

    def hosts(self, namespace: str) -> str:
        """The lines of a hosts file for the pods of this namespace."""
        lines = []
        for name, service in sorted(self.followed.objects.items()):
            names = " ".join(names_of(name, namespace))
            if address := own_address(service):
                lines.append(f"{address}\t{names}\n")
                continue
            endpoints = [row for each in self._slices_of(name) for row in ready_endpoints(each)]
            for address, host in sorted(endpoints):
                own = "".join(f" {host}.{each}" for each in names.split()) if host else ""
                lines.append(f"{address}\t{names}{own}\n")
        return "".join(lines)

    def variables(self) -> dict[str, str]:
        """What every container is told of the API server."""
        service = self.followed.objects.get(API_SERVER)
        if service is None or not (address := own_address(service)):
            return {}
        port = str(service["spec"]["ports"][0]["port"])
        names = ("KUBERNETES_SERVICE_PORT", "KUBERNETES_SERVICE_PORT_HTTPS")
        return {"KUBERNETES_SERVICE_HOST": address, **dict.fromkeys(names, port)}


def own_address(service: Manifest) -> str:
    """The `clusterIP`; empty: it is headless."""
    address = service["spec"].get("clusterIP") or ""
    return "" if address == "None" else str(address)


def names_of(name: Name, namespace: str) -> list[str]:
    """By which pods of this namespace know the Service."""
    own, service = name
    longer = [f"{service}.{own}", f"{service}.{own}.svc", f"{service}.{own}.svc.{DOMAIN}"]
    return [service, *longer] if own == namespace else longer


def ready_endpoints(some: Manifest) -> list[tuple[str, str]]:
    """Address and hostname of those that take requests; which state is not told counts as ready."""
    return [
        (endpoint["addresses"][0], endpoint.get("hostname") or "")
        for endpoint in some.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready", True)
    ]


class Listener:
    """Connections to one place, passed on to others in turn."""

    def __init__(self, backends: list[Backend]) -> None:
        self.backends = backends
        self._next = 0
        self._servers: list[asyncio.Server] = []

    async def listen(self, place: Backend, *, device: str = "") -> None:
        """At this place; with a device, to those who come by it. Raises `OSError`."""
        listening = socket.socket()
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
            listening.bind(place)
            self._servers.append(await asyncio.start_server(self._pass_on, sock=listening))
        except BaseException:
            listening.close()
            raise

    def close(self) -> None:
        """Take no more; what was taken goes on."""
        for server in self._servers:
            server.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await self._connected()
        except OSError:
            writer.transport.abort()
            return
        try:
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
        except OSError:
            for each in (writer, there_writer):
                each.transport.abort()
        finally:
            for each in (writer, there_writer):
                each.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To the next one that accepts. Raises `OSError`."""
        for _ in range(len(self.backends)):
            self._next += 1
            backend = self.backends[self._next % len(self.backends)]
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_S_MAX):
                    return await asyncio.open_connection(*backend)
        raise ConnectionRefusedError("no endpoint takes connections")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the one side has nothing more to say. Raises `OSError`."""
    while piece := await reader.read(PIECE_BYTES):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
