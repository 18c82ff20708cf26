"""One of several programs leads, by a `Lease` that it renews.

As client-go does it, so that programs of both kinds may stand for the same lease: whoever does not lead
measures with its own clock how long the record has not changed, and trusts no time that stands in it. Who
leads stops by itself before the others may take over, if it cannot renew in time.
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from adapter.aio.clock import Clock
from adapter.cluster.cluster import Cluster, ClusterUnavailable, ObjectConflict
from adapter.domain.errors import AdapterError, Broken
from adapter.domain.kinds import LEASE, Key, Manifest

log = logging.getLogger(__name__)

LOCK_NAME: Final = "modelmesh-controller-leader-lock"
RELEASE_S_MAX: Final = 2.0


class LeadershipLost(Broken):
    """Another one leads, or may soon; what only the leader does has been ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectionTimes:
    """How quick it is; ModelMesh's values."""

    lease_s: float = 15.0
    """Others take over when the leader has not renewed for so long."""
    renew_s: float = 10.0
    """The leader gives up when it could not for so long."""
    retry_s: float = 2.0
    """Between tries, of both."""

    def __post_init__(self) -> None:
        if not 0 < self.retry_s < self.renew_s < self.lease_s:
            raise ValueError(
                "the times of an election must be: retry < renew < lease, "
                f"not {self.retry_s} s, {self.renew_s} s, {self.lease_s} s"
            )


@dataclass(slots=True)
class LeaderElection:
    """One candidate. `identity` must be its own alone: the pod's name and something random."""

    cluster: Cluster
    clock: Clock
    namespace: str
    identity: str
    name: str = LOCK_NAME
    times: ElectionTimes = field(default_factory=ElectionTimes)
    is_leading: bool = field(default=False, init=False)
    _seen: tuple[Manifest, float] | None = field(default=None, init=False)
    """The latest record, and when it was seen first."""
    _renewed_s: float = field(default=0.0, init=False)
    _told: str = field(default="", init=False)

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait until this one leads, then do the work; give the lease back when it ends or is cancelled.

        Raises `LeadershipLost`, the work being cancelled; may be called again then. What the work raises is
        raised.
        """
        while not await self._tries():
            await self.clock.sleep(self.times.retry_s)
        self.is_leading = True
        log.info("leads", extra={"lease": self.name, "identity": self.identity})
        try:
            await self._do(work)
        finally:
            self.is_leading = False
            await self._release()

    async def _do(self, work: Callable[[], Awaitable[None]]) -> None:
        async def do() -> None:
            try:
                await work()
            finally:
                keeping.cancel()

        try:
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(self._keep())
                group.create_task(do())
        except BaseExceptionGroup as errors:
            # The one that failed first; the other was cancelled for it.
            raise errors.exceptions[0] from None

    async def _keep(self) -> None:
        """Renew for ever. Raises `LeadershipLost`."""
        while True:
            await self.clock.sleep(self.times.retry_s)
            left_s = self._renewed_s + self.times.renew_s - self.clock.now_s()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(left_s, 0)):
                    if await self._tries():
                        continue
            if self._holder() not in {"", self.identity}:
                raise LeadershipLost(f"`{self._holder()}` leads now, by the lease `{self.name}`")
            if self.clock.now_s() - self._renewed_s >= self.times.renew_s:
                raise LeadershipLost(
                    f"the lease `{self.name}` could not be renewed for {self.times.renew_s:g} s"
                )

    # One try.

    async def _tries(self) -> bool:
        """Whether the lease is ours, for a whole `lease_s` from when this began."""
        began_s = self.clock.now_s()
        try:
            found = await self.cluster.get(self._key)
            self._see(found, began_s)
            if found is not None and not self._may_take(found, began_s):
                return False
            record = self._record(found, self.identity, self.times.lease_s)
            write = self.cluster.create if found is None else self.cluster.replace
            self._see(await write(record, LEASE), began_s)
        except ObjectConflict:
            return False  # somebody was quicker; the next try sees who
        except AdapterError as error:
            self._tell(error)
            return False
        self._renewed_s, self._told = began_s, ""
        return True

    def _see(self, record: Manifest | None, now_s: float) -> None:
        if record is None:
            self._seen = None
        elif self._seen is None or self._seen[0].get("spec") != record.get("spec"):
            self._seen = (record, now_s)

    def _may_take(self, record: Manifest, now_s: float) -> bool:
        holder = self._holder()
        if holder in {"", self.identity}:
            return True
        assert self._seen is not None, "what is judged has been seen"
        duration_s = (record.get("spec") or {}).get("leaseDurationSeconds") or self.times.lease_s
        return bool(now_s - self._seen[1] >= duration_s)

    def _holder(self) -> str:
        spec = (self._seen[0].get("spec") or {}) if self._seen else {}
        return str(spec.get("holderIdentity") or "")

    def _record(self, found: Manifest | None, holder: str, duration_s: float) -> Manifest:
        before: dict[str, Any] = dict((found or {}).get("spec") or {})
        now = _micro_time(self.clock.epoch_ms())
        changes = before.get("holderIdentity") != holder
        spec = before | {
            "holderIdentity": holder,
            "leaseDurationSeconds": max(round(duration_s), 1),
            "acquireTime": now if changes else before.get("acquireTime", now),
            "renewTime": now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + bool(changes and found and holder),
        }
        metadata = found["metadata"] if found else {"name": self.name, "namespace": self.namespace}
        return {**(found or {}), "metadata": metadata, "spec": spec}

    async def _release(self) -> None:
        """So that the next one need not wait; if it fails, it waits."""
        if self._seen is None or self._holder() != self.identity:
            return
        with suppress(AdapterError, TimeoutError):
            async with asyncio.timeout(RELEASE_S_MAX):
                record = self._record(self._seen[0], "", 1)
                self._see(await self.cluster.replace(record, LEASE), self.clock.now_s())

    @property
    def _key(self) -> Key:
        return Key(kind=LEASE, name=self.name, namespace=self.namespace)

    def _tell(self, error: AdapterError) -> None:
        if str(error) != self._told:
            level = logging.INFO if isinstance(error, ClusterUnavailable) else logging.WARNING
            log.log(level, "cannot have the lease", extra={"lease": self.name, "error": str(error)})
            self._told = str(error)


def _micro_time(epoch_ms: int) -> str:
    moment = dt.datetime.fromtimestamp(epoch_ms / 1e3, dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
