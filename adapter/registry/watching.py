"""What happens below a prefix: all that is there, then each change, whatever becomes of the connection.

It goes on from the last revision that it has seen, and begins anew when that is not possible: etcd has
compacted it away, or it is another etcd than before. The latter is seen by its revision, which has gone back,
by its cluster's id, or, when it has overtaken the old one, by the last entry that we saw, which is not there.

After a reconnect the changes of one revision may be told a second time, when only part of them had come.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from operator import attrgetter
from typing import Final

import grpc

from adapter.aio.clock import Clock
from adapter.domain.errors import AdapterError, RegistryUnavailable
from adapter.registry.backoff import Backoff
from adapter.registry.endpoints import CALL_S_MAX, Endpoints, Line, Metadata
from adapter.registry.etcd_errors import TOKEN_TEXTS, RevisionGone
from adapter.registry.etcd_keys import EtcdKeys
from adapter.registry.registry import Change, Changes, Entry, Reset
from adapter.stubs.etcd import rpc_pb2 as rpc
from adapter.stubs.etcd.kv_pb2 import Event

log = logging.getLogger(__name__)

PAGE: Final = 5_000
"""Entries that are read at a time."""

_mod_revision = attrgetter("mod_revision")


class _Outdated(Exception):
    """What happened in between cannot be told."""


class Watching:
    """One who follows one prefix."""

    def __init__(
        self, endpoints: Endpoints, keys: EtcdKeys, clock: Clock, *, prefix: str, contents: bool
    ) -> None:
        self._endpoints = endpoints
        self._keys = keys
        self._clock = clock
        self._prefix = prefix
        self._contents = contents
        self._revision = 0
        """All up to this one is told; 0: nothing is."""
        self._cluster = 0
        self._witness: Entry | None = None
        """The last entry that we saw."""

    async def follow(self) -> AsyncIterator[Reset | Changes]:
        """Never raises, and never ends."""
        backoff, is_away = Backoff(), False
        while True:
            try:
                if self._revision == 0:
                    yield await self._read_all()
                else:
                    await self._check_that_it_is_the_same()
                async with aclosing(self._watch()) as watch:
                    async for changes in watch:
                        if changes is not None:
                            yield changes
                        elif is_away:
                            log.info("the registry is followed again", extra={"prefix": self._prefix})
                            is_away = False
                        backoff.reset()
            except (_Outdated, RevisionGone) as error:
                log.info("what is below the prefix is read anew", extra=self._story(error))
                self._revision = 0
                continue
            except AdapterError as error:
                if not is_away:
                    log.warning("the registry cannot be followed for now", extra=self._story(error))
                    is_away = True
            await self._clock.sleep(backoff.next_s())

    def _story(self, error: Exception) -> dict[str, object]:
        return {"prefix": self._prefix, "error": str(error)}

    # What is there.

    async def _read_all(self) -> Reset:
        """Everything at one revision. Raises `RegistryUnavailable`, `RevisionGone`."""
        key, end = self._keys.below(self._prefix)
        limit = PAGE if self._contents else 1
        page = await self._range(rpc.RangeRequest(key=key, range_end=end, limit=limit))
        revision, cluster = page.header.revision, page.header.cluster_id
        entries: list[Entry] = []
        while self._contents:
            entries.extend(map(self._keys.entry, page.kvs))
            if not page.more:
                break
            key = page.kvs[-1].key + b"\0"
            page = await self._range(rpc.RangeRequest(key=key, range_end=end, limit=limit, revision=revision))
        self._revision, self._cluster = revision, cluster
        self._witness = max(entries, key=_mod_revision, default=None)
        return Reset(entries=entries if self._contents else None, revision=revision)

    async def _range(self, request: rpc.RangeRequest) -> rpc.RangeResponse:
        return await self._endpoints.unary(_range_of, request, deed=f"reading all below {self._prefix}")

    # Whether it is what it was.

    async def _check_that_it_is_the_same(self) -> None:
        """Raises `_Outdated`, `RegistryUnavailable`."""
        witness = self._witness
        key = self._prefix if witness is None else witness.key
        now = await self._range(rpc.RangeRequest(key=self._keys.encoded(key) or b"\0"))
        if now.header.cluster_id != self._cluster:
            raise _Outdated("this is another cluster")
        if now.header.revision < self._revision:
            raise _Outdated(f"its revision went back from {self._revision} to {now.header.revision}")
        if witness is None or self._has(witness, now):
            return
        # It has changed meanwhile; or it never was there.
        key_then = self._keys.encoded(witness.key)
        if not self._has(witness, await self._range(rpc.RangeRequest(key=key_then, revision=self._revision))):
            raise _Outdated("this is another store, at a later revision")

    def _has(self, entry: Entry, found: rpc.RangeResponse) -> bool:
        return [self._keys.entry(each) for each in found.kvs] == [entry]

    # What happens.

    async def _watch(self) -> AsyncGenerator[Changes | None, None]:
        """Changes as they come; None: the watch stands, or was told that nothing has happened.

        Raises `_Outdated`, `RegistryUnavailable`.
        """
        line, metadata = await self._endpoints.line()
        stream = line.watch.Watch(metadata=metadata)
        try:
            async with asyncio.timeout(CALL_S_MAX):
                await stream.write(self._create_request())
                response = await stream.read()
            while isinstance(response, rpc.WatchResponse):
                yield self._heard(response, metadata)
                response = await stream.read()
        except grpc.aio.AioRpcError as error:
            raise self._endpoints.blame(error, line, metadata, deed=self._deed) from error
        except TimeoutError as error:
            self._endpoints.leave(line)
            text = f"the registry at {line.endpoint} does not answer ({self._deed})"
            raise RegistryUnavailable(text) from error
        finally:
            stream.cancel()
        raise RegistryUnavailable(f"the registry at {line.endpoint} ended the watch ({self._deed})")

    @property
    def _deed(self) -> str:
        return f"following {self._prefix}"

    def _create_request(self) -> rpc.WatchRequest:
        key, end = self._keys.below(self._prefix)
        wanted = rpc.WatchCreateRequest(
            key=key,
            range_end=end,
            start_revision=self._revision + 1,
            progress_notify=True,
            fragment=True,
        )
        return rpc.WatchRequest(create_request=wanted)

    def _heard(self, response: rpc.WatchResponse, metadata: Metadata) -> Changes | None:
        if response.canceled:
            raise self._cancelled(response, metadata)
        if not response.events:
            if not response.created:  # progress: nothing is on its way up to here
                self._revision = max(self._revision, response.header.revision)
            return None
        last = response.events[-1].kv
        self._revision = last.mod_revision - 1 if response.fragment else last.mod_revision
        changes = [self._change(event) for event in response.events]
        return Changes(changes=changes)

    def _change(self, event: Event) -> Change:
        found = event.kv
        if event.type == Event.PUT:
            self._witness = entry = self._keys.entry(found)
            return Change(key=entry.key, entry=entry, revision=entry.mod_revision)
        key = self._keys.decoded(found.key)
        if self._witness is not None and self._witness.key == key:
            self._witness = None
        return Change(key=key, entry=None, revision=found.mod_revision)

    def _cancelled(self, response: rpc.WatchResponse, metadata: Metadata) -> Exception:
        if response.compact_revision:
            return _Outdated(f"compacted up to revision {response.compact_revision}")
        reason = response.cancel_reason or "no reason given"
        if any(known in reason for known in TOKEN_TEXTS):
            self._endpoints.forget(metadata)
        return RegistryUnavailable(
            f"the registry at {self._endpoints.names} ended the watch ({self._deed}): {reason}"
        )


def _range_of(line: Line) -> "grpc.aio.UnaryUnaryMultiCallable[rpc.RangeRequest, rpc.RangeResponse]":
    return line.kv.Range
