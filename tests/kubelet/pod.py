"""One pod of the Node: prepared, run, told of, stopped."""

import asyncio
import logging
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from tests.kubelet.api import Api, ApiRefused
from tests.kubelet.container import RETRY_S, BackOff, Container, Hindered, Surroundings, now
from tests.kubelet.environment import NotThereYet, Place, environment, expand, hostname
from tests.kubelet.images import find_image, read_images
from tests.kubelet.network import Network, NoNetwork, PodNetwork
from tests.kubelet.process import Box
from tests.kubelet.security import rights
from tests.kubelet.services import Services
from tests.kubelet.status import NEVER, ON_FAILURE, Told, pod_status
from tests.kubelet.volumes import Sources, Volumes

log = logging.getLogger(__name__)

Manifest = Mapping[str, Any]

GRACE_S = 30.0
"""Where a pod does not say."""
MESSAGE_PATH = "/dev/termination-log"
IMAGE_MISSING = "no program of this machine stands for this image"
IMAGE_EMPTY = "neither the pod nor the image says what to run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the pods of a Node share."""

    api: Api
    place: Place
    """With no pod's address yet."""
    network: Network
    services: Services
    sources: Sources
    images: Path
    http: httpx.AsyncClient
    back_off: BackOff


class Pod:
    """A pod that is bound to this Node, until it is deleted."""

    def __init__(self, manifest: Manifest, host: Host) -> None:
        self._pod = manifest
        self._host = host
        self._folder = host.network.folder / "pods" / self.uid
        self._place = host.place
        self._network: PodNetwork | None = None
        self._volumes: Volumes | None = None
        self._problem = ""
        self._began = now()
        self._stopping = asyncio.Event()
        self._changed = asyncio.Event()
        self._said: dict[str, Any] = {}
        spec = manifest["spec"]
        policy = spec.get("restartPolicy", "Always")
        init = ON_FAILURE if policy != NEVER else NEVER
        self.init = [self._container(each, policy=init) for each in spec.get("initContainers") or []]
        self.main = [self._container(each, policy=policy) for each in spec["containers"]]

    @property
    def uid(self) -> str:
        return str(self._pod["metadata"]["uid"])

    @property
    def namespace(self) -> str:
        return str(self._pod["metadata"]["namespace"])

    @property
    def name(self) -> str:
        return str(self._pod["metadata"]["name"])

    @property
    def path(self) -> str:
        """In the API."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"

    def __str__(self) -> str:
        return f"pod={self.name}_{self.namespace}({self.uid})"

    def update(self, manifest: Manifest) -> None:
        """The object has changed."""
        self._pod = manifest
        if manifest["metadata"].get("deletionTimestamp"):
            self._stopping.set()
        self._changed.set()
        self.refresh()

    def refresh(self) -> None:
        """What volumes show, or the names of Services, may have changed."""
        if self._volumes is not None:
            self._volumes.refresh()
            self._write_hosts()

    def vanished(self) -> None:
        """The object is gone, so nobody waits for it."""
        self._pod = {**self._pod, "spec": {**self._pod["spec"], "terminationGracePeriodSeconds": 1}}
        self._stopping.set()

    def container(self, name: str) -> Container | None:
        """One of its containers."""
        return next((each for each in [*self.main, *self.init] if each.status.name == name), None)

    # Life.

    async def live(self) -> None:
        """Until it is deleted. Cancelled, its processes are killed, and nothing is told."""
        try:
            async with asyncio.TaskGroup() as group:
                telling = group.create_task(self._tell_changes())
                running = group.create_task(self._run())
                await self._stopping.wait()
                grace_s = self._grace_s()
                await asyncio.gather(*(each.stop(grace_s) for each in [*self.init, *self.main]))
                await running
                telling.cancel()
        finally:
            self._clean_up()
        await self._tell()
        await self._delete()

    def _grace_s(self) -> float:
        asked = self._pod["metadata"].get("deletionGracePeriodSeconds")
        return float(asked or self._pod["spec"].get("terminationGracePeriodSeconds", GRACE_S))

    async def _run(self) -> None:
        if not await self._prepared():
            return
        for each in self.init:
            await each.live()
            if self._stopping.is_set() or each.status.has_failed:
                return
        async with asyncio.TaskGroup() as group:
            for each in self.main:
                group.create_task(each.live())

    async def _prepared(self) -> bool:
        """Whether it has its network and volumes; False: it was told to stop before it had."""
        while not self._stopping.is_set():
            try:
                await self._prepare()
            except (NotThereYet, NoNetwork, ApiRefused, httpx.HTTPError, OSError) as why:
                self._problem = str(why) or type(why).__name__
                self._changed.set()
            else:
                self._problem = ""
                return True
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY_S):
                    await self._stopping.wait()
        return False

    async def _prepare(self) -> None:
        if self._network is None:
            self._network = self._host.network.add_pod()
            self._place = replace(self._place, pod_ip=self._network.address)
        if not (variables := self._host.services.variables()):
            raise NotThereYet("the API server has no Service yet")
        self._place = replace(self._place, services=variables)
        volumes = Volumes(self._pod, self._folder / "volumes", self._place, self._host.sources)
        await volumes.prepare()
        self._volumes = volumes
        search = f"{self.namespace}.svc.cluster.local svc.cluster.local cluster.local"
        # Nobody answers there, which is quicker than to wait for somebody who does not exist.
        (self._folder / "resolv.conf").write_text(f"nameserver 127.0.0.1\nsearch {search}\noptions ndots:5\n")
        self._write_hosts()

    def _write_hosts(self) -> None:
        """In place, since containers hold on to the file that it was when they started."""
        assert self._network is not None
        names = self._host.services.hosts(self.namespace)
        text = f"127.0.0.1\tlocalhost\n{self._network.address}\t{hostname(self._pod)}\n{names}".encode()
        path = self._folder / "hosts"
        if path.exists() and path.read_bytes() == text:
            return
        path.touch()
        with path.open("r+b") as file:
            file.write(text)
            file.truncate()

    def _clean_up(self) -> None:
        self._volumes = None
        if self._network is not None:
            self._host.network.remove_pod(self._network)
        shutil.rmtree(self._folder, ignore_errors=True)

    # Containers.

    def _container(self, spec: Manifest, *, policy: str) -> Container:
        around = Surroundings(
            pod=str(self),
            folder=self._folder / "containers" / spec["name"],
            policy=policy,
            grace_s=self._pod["spec"].get("terminationGracePeriodSeconds", GRACE_S),
            address=lambda: self._place.pod_ip,
            box=lambda message: self._box(spec, message),
            http=self._host.http,
            back_off=self._host.back_off,
            changed=self._changed.set,
        )
        return Container(spec, around)

    def _box(self, spec: Manifest, message: Path) -> Box:
        """Raises `NotThereYet`, `Hindered`."""
        try:
            return self._boxed(spec, message)
        except (ValueError, LookupError, TypeError) as why:  # a wrong quantity, file of images, user
            raise Hindered("CreateContainerConfigError", str(why)) from why

    def _boxed(self, spec: Manifest, message: Path) -> Box:
        assert self._volumes is not None
        assert self._network is not None
        image = find_image(read_images(self._host.images), spec["image"])
        if image is None:
            raise Hindered("ErrImagePull", f'{IMAGE_MISSING}: "{spec["image"]}"')
        env = dict(image.env) | environment(spec, self._pod, self._place, self._host.sources)
        words = [tuple(expand(word, env) for word in spec.get(part) or ()) for part in ("command", "args")]
        if not (command := image.argv(*words)):
            raise Hindered("CreateContainerError", IMAGE_EMPTY)
        allowed = rights(self._pod, spec, image_user=image.user)
        files = {
            "/etc/hosts": self._folder / "hosts",
            "/etc/resolv.conf": self._folder / "resolv.conf",
            spec.get("terminationMessagePath") or MESSAGE_PATH: message,
        }
        mounts = [{"source": str(at), "target": to, "read_only": False} for to, at in files.items()]
        return Box(
            command=command,
            env=env,
            folder=spec.get("workingDir") or image.folder,
            hostname=hostname(self._pod),
            network=self._network.path,
            mounts=[*mounts, *self._volumes.mounts(spec, env)],
            rights=allowed,
        )

    # What is told.

    async def _tell_changes(self) -> None:
        while True:
            self._changed.clear()
            if not await self._tell():
                await asyncio.sleep(RETRY_S)
                continue
            await self._changed.wait()

    async def _tell(self) -> bool:
        """Write the status if it is another than before; False: it has to be tried again."""
        status = self._status()
        if status == self._said:
            return True
        try:
            await self._host.api.patch(
                f"{self.path}/status", {"metadata": {"uid": self.uid}, "status": status}
            )
        except ApiRefused as why:
            log.info("%s: status not taken: %s", self, why)  # it is gone, or another of this name is there
        except httpx.HTTPError as why:
            log.info("%s: status not told: %s", self, why or type(why).__name__)
            return False
        self._said = status
        return True

    def _status(self) -> dict[str, Any]:
        told = Told(
            node_ip=self._place.node_ip,
            pod_ip=self._place.pod_ip,
            started_at=self._began,
            problem=self._problem,
        )
        init, main = ([each.status for each in some] for some in (self.init, self.main))
        return pod_status(self._as_told(), init, main, told, now=now())

    def _as_told(self) -> Manifest:
        """The object with what was written last, which may not have come back yet."""
        status = dict(self._pod.get("status") or {})
        by_type = {each["type"]: each for each in status.get("conditions") or []}
        by_type |= {each["type"]: each for each in self._said.get("conditions", [])}
        return {**self._pod, "status": {**status, "conditions": list(by_type.values())}}

    async def _delete(self) -> None:
        """The object goes when its processes have gone."""
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
        while True:
            try:
                await self._host.api.delete(self.path, options)
            except ApiRefused:
                return  # it is gone
            except httpx.HTTPError:
                await asyncio.sleep(RETRY_S)
            else:
                return
