"""The last lines of containers that do not stay up, read in the background, once for each time one ended."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from adapter.cluster.cluster import Cluster
from adapter.controller.pod_facts import Trouble
from adapter.domain.errors import AdapterError
from adapter.domain.kinds import POD, Key

log = logging.getLogger(__name__)

LINES_MAX: Final = 10
CHARS_MAX: Final = 2000

_Pod = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Mark:
    """One end of one container."""

    uid: str
    container: str
    restarts: int


class Logs:
    """Reads them one after the other, so that a fleet in trouble does not burden the API server."""

    def __init__(self, cluster: Cluster, *, owner: asyncio.TaskGroup, on_read: Callable[[str], None]) -> None:
        """`on_read` is told the namespace of each pod whose lines are there now."""
        self._cluster = cluster
        self._on_read = on_read
        self._wanted: dict[_Pod, tuple[_Mark, Trouble]] = {}
        self._read: dict[_Pod, tuple[_Mark, str]] = {}
        self._something = asyncio.Event()
        owner.create_task(self._run(), name="read logs")

    def want(self, namespace: str, uid: str, trouble: Trouble) -> None:
        """Have the lines read, unless they are there, or the pod's status has them."""
        pod, mark = (namespace, trouble.pod), _Mark(uid, trouble.container, trouble.restarts)
        known = self._read.get(pod) or self._wanted.get(pod)
        if not trouble.has_log or trouble.said or (known is not None and known[0] == mark):
            return
        self._wanted[pod] = (mark, trouble)
        self._something.set()

    def tail(self, namespace: str, trouble: Trouble) -> str:
        """The last lines, as far as they are known; those of an earlier end until the later ones are read."""
        read = trouble.said or self._read.get((namespace, trouble.pod), (None, ""))[1]
        return "\n".join(read.strip().splitlines()[-LINES_MAX:])[-CHARS_MAX:]

    def forget(self, namespace: str, pod: str) -> None:
        """The pod is gone, or well."""
        self._wanted.pop((namespace, pod), None)
        self._read.pop((namespace, pod), None)

    async def _run(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            while self._wanted:
                await self._read_one(next(iter(self._wanted)))

    async def _read_one(self, pod: _Pod) -> None:
        namespace, name = pod
        mark, trouble = self._wanted[pod]
        try:
            text = await self._cluster.log_tail(
                Key(kind=POD, name=name, namespace=namespace),
                container=trouble.container,
                lines=LINES_MAX,
                previous=trouble.log_is_previous,
            )
        except AdapterError as error:
            log.info("the log of a pod cannot be read", extra={"pod": name, "error": str(error)})
            text = ""
        if self._wanted.get(pod) == (mark, trouble):
            del self._wanted[pod]
            self._read[pod] = (mark, text)
            self._on_read(namespace)
