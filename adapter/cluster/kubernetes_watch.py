"""Following one kind at an API server: a list, then a watch from there, taken up again where it broke off.

The server ends a watch now and then, and tells by *bookmarks* what the latest version is while nothing else
happens. When it has forgotten what came after the version that we know (410), it is listed anew.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, Final, Protocol

import orjson

from adapter.aio.clock import Clock
from adapter.cluster.cluster import Changed, ClusterRefused, ClusterUnavailable, KindMissing, Listed
from adapter.cluster.kubernetes_api import ApiRefused, WentQuiet
from adapter.cluster.kubernetes_paths import kind_path, watch_params
from adapter.domain.errors import AdapterError
from adapter.domain.kinds import Kind, Manifest, key_of

log = logging.getLogger(__name__)

WATCH_S: Final = 290
"""After so long the server ends a watch, and we begin the next."""
QUIET_S_MAX: Final = 100.0
"""A server tells a bookmark each minute; one that is silent for so long is not there."""
PAUSE_S_FIRST: Final = 0.2
PAUSE_S_MAX: Final = 10.0
MISSING_S: Final = 5.0
"""So often it is looked whether the kind is installed by now."""

GONE: Final = 410


class Lines(Protocol):
    """Answers that go on; `KubernetesApi.lines`."""

    def __call__(
        self, path: str, *, params: Mapping[str, str], quiet_s_max: float
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]: ...


ListAll = Callable[[], Awaitable[tuple[Sequence[Manifest], str]]]
"""All objects, and the version at which they were these. Raises as `Cluster.list` does."""


class Follower:
    """What one `Cluster.follow` does. Times are the clock's."""

    def __init__(
        self, kind: Kind, namespace: str | None, *, list_all: ListAll, lines: Lines, clock: Clock
    ) -> None:
        self._kind = kind
        self._path = kind_path(kind, namespace)
        self._list_all = list_all
        self._lines = lines
        self._clock = clock
        self._version = ""
        """What is known is of this version; empty: nothing is."""
        self._failures = 0
        self._told = ""
        """The last failure that was logged."""

    async def news(self) -> AsyncGenerator[Listed | Changed, None]:
        """As `Cluster.follow` says."""
        while True:
            try:
                if not self._version:
                    objects, self._version = await self._list_all()
                    yield Listed(objects=objects)
                    del objects  # else a copy of everything is kept as long as the watch
                async with aclosing(self._watch()) as changes:
                    async for changed in changes:
                        yield changed
            except AdapterError as error:
                await self._clock.sleep(self._pause_s(error))

    async def _watch(self) -> AsyncGenerator[Changed, None]:
        """Until the server ends it."""
        params = watch_params(self._version, seconds=WATCH_S)
        began_s = self._clock.now_s()
        try:
            async with self._lines(self._path, params=params, quiet_s_max=QUIET_S_MAX) as lines:
                self._answers()
                async for line in lines:
                    changed = self._heard(line)
                    self._failures = 0
                    if changed is not None:
                        yield changed
        except WentQuiet:
            # Where nothing happens some servers say nothing at all; a dead one is met by the next try.
            if self._clock.now_s() - began_s < PAUSE_S_FIRST:
                raise
        except ApiRefused as error:
            if error.status != GONE:
                raise self._meant(error) from error
            self._version = ""
        else:
            if self._clock.now_s() - began_s < PAUSE_S_FIRST:
                raise ClusterUnavailable(f"a watch of {self._kind.plural} ended at once")

    def _heard(self, line: bytes) -> Changed | None:
        """One line of the watch."""
        try:
            told: dict[str, Any] = orjson.loads(line)
            event, manifest = told["type"], told["object"]
            if event == "ERROR":
                self._version = ""
                raise ApiRefused(str(manifest.get("message")), status=manifest.get("code", 0), subject="?")
            version = str(manifest["metadata"]["resourceVersion"])
            if event == "BOOKMARK":
                self._version = version
                return None
            key = key_of(manifest, self._kind)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            self._version = ""
            raise ClusterUnavailable(f"a watch of {self._kind.plural} told something odd") from error
        self._version = version
        manifest["metadata"].pop("managedFields", None)
        return Changed(key=key, manifest=None if event == "DELETED" else manifest)

    def _meant(self, error: ApiRefused) -> AdapterError:
        if error.status == 404 and not error.subject:  # noqa: PLR2004 - HTTP's
            self._version = ""
            return KindMissing(f"the cluster has no {self._kind.plural} any more")
        if error.status in {401, 403}:
            return ClusterRefused(error.text)
        return ClusterUnavailable(error.text)

    # Pauses.

    def _answers(self) -> None:
        if self._told:
            log.info("followed again", extra={"kind": self._kind.plural})
        self._told = ""

    def _pause_s(self, error: AdapterError) -> float:
        told = f"{type(error).__name__}: {error}"
        if told != self._told:
            level = logging.INFO if isinstance(error, KindMissing) else logging.WARNING
            log.log(level, "cannot follow", extra={"kind": self._kind.plural, "error": str(error)})
            self._told = told
        if isinstance(error, KindMissing):
            return MISSING_S
        self._failures += 1
        return float(min(PAUSE_S_FIRST * 2 ** min(self._failures - 1, 30), PAUSE_S_MAX))
