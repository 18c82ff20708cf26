"""The Node: its object, its lease, and a life for each pod that is bound to it."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx

from adapter.servers.self_signed import self_signed
from adapter.servers.small_http import http_serving
from tests.kubelet.api import MERGE, Access, Api, ApiRefused, Followed, Name, connected
from tests.kubelet.container import BackOff, Container, now
from tests.kubelet.environment import Place
from tests.kubelet.log_server import log_app
from tests.kubelet.network import Network
from tests.kubelet.objects import ClusterObjects
from tests.kubelet.pod import Host, Pod
from tests.kubelet.services import Listener, Services
from tests.tools.kubernetes import VERSION

log = logging.getLogger(__name__)

Manifest = Mapping[str, Any]

CAPACITY: Final = {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "250"}
"""What the scheduler may give away: more than there is, since pods ask for far more than they use here."""
LEASE_S: Final = 40
RENEW_EVERY_S: Final = 10.0
RETRY_S: Final = 0.5
LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
CONNECTIONS_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """What a Node is told at its start."""

    name: str
    images: Path
    exposed: tuple[int, ...] = ()
    """Ports of this machine's loopback that pods reach at the Node's address."""
    back_off: BackOff


async def run_node(access: Access, network: Network, settings: NodeSettings) -> None:
    """Be the Node; never ends. Cancelled, it kills the processes of all pods, and tells the API nothing."""
    async with connected(access) as api, _http() as http:
        objects = ClusterObjects(api)
        services = Services(network, access.host_and_port)
        place = Place(pod_ip="", node_ip=network.node_ip, node_name=settings.name, allocatable=CAPACITY)
        host = Host(
            api=api,
            place=place,
            network=network,
            services=services,
            sources=objects,
            images=settings.images,
            http=http,
            back_off=settings.back_off,
        )
        pods = Pods(settings.name, host)
        followed = [objects.secrets, objects.config_maps, services.followed, services.slices]
        for each in followed[:2]:
            each.on_change(lambda _: pods.refresh())
        services.on_change(pods.refresh)
        async with _logs_served(pods, network) as port, asyncio.TaskGroup() as group:
            for each in followed:
                group.create_task(each.follow(api))
            group.create_task(services.serve())
            for number in settings.exposed:
                await Listener([("127.0.0.1", number)]).listen((network.node_ip, number))
            await asyncio.gather(*(each.known.wait() for each in followed))
            await _until_told(api, node_object(settings.name, network, log_port=port))
            group.create_task(_renew_lease(api, settings.name))
            group.create_task(pods.live())
            say_ready(network)


def say_ready(network: Network) -> None:
    """One line for whoever started this: pods are run from now on."""
    print(json.dumps({"node_ip": network.node_ip, "subnet": network.subnet}), flush=True)  # noqa: T201


@asynccontextmanager
async def _http() -> AsyncIterator[httpx.AsyncClient]:
    """For probes: certificates of pods are not looked at, as with any kubelet."""
    async with httpx.AsyncClient(verify=False, trust_env=False, timeout=None) as http:
        yield http


@asynccontextmanager
async def _logs_served(pods: "Pods", network: Network) -> AsyncIterator[int]:
    listener = socket.create_server((network.node_ip, 0))
    app = log_app(pods.container)
    tls = self_signed(network.node_ip)
    async with http_serving(app, listener, tls=tls, connections_max=CONNECTIONS_MAX) as port:
        yield port


class Pods:
    """The pods of this Node."""

    def __init__(self, node: str, host: Host) -> None:
        self._followed = Followed("/api/v1/pods", selector=f"spec.nodeName={node}")
        self._host = host
        self._running: dict[Name, Pod] = {}
        self._over: dict[Name, str] = {}
        """The uids of those that have ended here, until they are heard to be gone."""
        self._group: asyncio.TaskGroup | None = None

    async def live(self) -> None:
        """Never ends."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._followed.on_change(self._changed)
            await self._followed.follow(self._host.api)

    def refresh(self) -> None:
        """Secrets, config maps or Services have changed."""
        for pod in self._running.values():
            pod.refresh()

    def container(self, namespace: str, pod: str, name: str) -> Container | None:
        found = self._running.get((namespace, pod))
        return found.container(name) if found else None

    def _changed(self, name: Name) -> None:
        manifest = self._followed.objects.get(name)
        known = self._running.get(name)
        if manifest is None or manifest["metadata"]["uid"] != self._over.get(name):
            self._over.pop(name, None)
        if known is not None and (manifest is None or manifest["metadata"]["uid"] != known.uid):
            known.vanished()  # its task looks whether there is another one
        elif known is not None and manifest is not None:
            known.update(manifest)
        elif manifest is not None and name not in self._over and is_to_run(manifest):
            self._start(name, manifest)

    def _start(self, name: Name, manifest: Manifest) -> None:
        assert self._group is not None
        pod = self._running[name] = Pod(manifest, self._host)
        pod.update(manifest)
        self._group.create_task(self._live(name, pod))

    async def _live(self, name: Name, pod: Pod) -> None:
        try:
            await pod.live()
        except Exception:  # one pod is no reason to end the others
            log.exception("%s: given up", pod)
        del self._running[name]
        self._over[name] = pod.uid
        self._changed(name)  # there may be another one of its name


def is_to_run(pod: Manifest) -> bool:
    """Whether it has not come to its end."""
    return (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}


# The Node's own objects.


def node_object(name: str, network: Network, *, log_port: int) -> dict[str, Any]:
    """As a kubelet registers itself. Its address is one that the API server reaches for logs."""
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    status = {
        "capacity": CAPACITY,
        "allocatable": CAPACITY,
        "addresses": [{"type": "InternalIP", "address": network.node_ip}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": log_port}},
        "nodeInfo": {"kubeletVersion": VERSION, "operatingSystem": "linux", "architecture": "amd64"},
        "conditions": [
            _condition("Ready", "True", "KubeletReady"),
            *(_condition(f"{what}Pressure", "False", "Enough") for what in ("Memory", "Disk", "PID")),
        ],
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"podCIDR": network.subnet},
        "status": status,
    }


def _condition(kind: str, status: str, reason: str) -> dict[str, str]:
    said = {"type": kind, "status": status, "reason": reason, "message": reason}
    return said | dict.fromkeys(("lastHeartbeatTime", "lastTransitionTime"), now())


async def _until_told(api: Api, node: dict[str, Any]) -> None:
    while True:
        try:
            await register(api, node)
        except (ApiRefused, httpx.HTTPError) as error:
            log.info("not registered yet: %s", error or type(error).__name__)
            await asyncio.sleep(RETRY_S)
        else:
            return


async def register(api: Api, node: dict[str, Any]) -> None:
    """Make the Node anew, or take over the one of this name. Raises `ApiRefused`, `httpx.HTTPError`."""
    path = f"/api/v1/nodes/{node['metadata']['name']}"
    if await api.get(path) is None:
        await api.post("/api/v1/nodes", node)
    # New Nodes are tainted until they are seen to be ready; which this one is.
    await api.patch(path, {"spec": {"taints": None, "unschedulable": None}}, how=MERGE)
    await api.patch(f"{path}/status", {"status": node["status"]}, how=MERGE)


async def _renew_lease(api: Api, node: str) -> None:
    """Say every few seconds that the Node is alive; never ends."""
    while True:
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": node, "leaseDurationSeconds": LEASE_S, "renewTime": moment}
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": node}}
        try:
            if await api.get(f"{LEASES}/{node}") is None:
                await api.post(LEASES, lease | {"spec": spec})
            else:
                await api.patch(f"{LEASES}/{node}", {"spec": spec}, how=MERGE)
            pause_s = RENEW_EVERY_S
        except (ApiRefused, httpx.HTTPError) as error:
            log.info("lease not renewed: %s", error or type(error).__name__)
            pause_s = RETRY_S
        await asyncio.sleep(pause_s)
