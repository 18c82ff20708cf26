import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Any

import pytest

from adapter.aio.clock import LoopClock
from adapter.cluster.cluster import Changed, ClusterUnavailable, KindMissing, Listed
from adapter.cluster.kubernetes_api import ApiRefused, WentQuiet
from adapter.cluster.kubernetes_watch import MISSING_S, PAUSE_S_MAX, QUIET_S_MAX, Follower
from adapter.domain.errors import AdapterError
from adapter.domain.kinds import CONFIG_MAP, Key, Manifest


def settings(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "a", "resourceVersion": str(version)}}


def event(what: str, manifest: Mapping[str, Any]) -> bytes:
    return json.dumps({"type": what, "object": manifest}).encode()


def changed(name: str, version: int) -> Changed:
    key = Key(kind=CONFIG_MAP, name=name, namespace="a")
    return Changed(key=key, manifest=settings(name, version))


GONE = event("ERROR", {"kind": "Status", "code": 410, "message": "too old resource version"})
BROKEN = event("ERROR", {"kind": "Status", "code": 500, "message": "etcd is away"})

Answer = list[bytes] | AdapterError | ApiRefused
"""Of a watch: lines, each a second after the one before, or a refusal."""


class Server:
    """Answers as it was told to, and then as the last time; remembers what it was asked and when."""

    def __init__(self, *, lists: list[int | AdapterError], watches: list[Answer]) -> None:
        self._lists = lists
        self._watches = watches
        self.asked: list[str] = []
        self.at_s: list[float] = []

    async def list_all(self) -> tuple[list[Manifest], str]:
        """One object, at that version."""
        self._note("list")
        told = self._lists.pop(0) if len(self._lists) > 1 else self._lists[0]
        if isinstance(told, AdapterError):
            raise told
        return [settings("listed", told)], str(told)

    @asynccontextmanager
    async def lines(
        self, path: str, *, params: Mapping[str, str], quiet_s_max: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        assert path == "/api/v1/namespaces/a/configmaps"
        self._note(params["resourceVersion"])
        told = self._watches.pop(0) if len(self._watches) > 1 else self._watches[0]
        if isinstance(told, WentQuiet):
            await asyncio.sleep(quiet_s_max)
        if isinstance(told, Exception):
            raise told
        yield self._said(told)

    async def _said(self, lines: list[bytes]) -> AsyncIterator[bytes]:
        for line in lines:
            await asyncio.sleep(1)
            yield line

    def _note(self, asked: str) -> None:
        self.asked.append(asked)
        self.at_s.append(asyncio.get_running_loop().time())


async def told(server: Server, count: int) -> list[Listed | Changed]:
    """What whoever follows it is told first."""
    follower = Follower(CONFIG_MAP, "a", list_all=server.list_all, lines=server.lines, clock=LoopClock())
    news = follower.news()
    try:
        async with asyncio.timeout(3600):
            return [await anext(news) for _ in range(count)]
    finally:
        await news.aclose()


async def asked_within(server: Server, seconds: float) -> list[float]:
    """When it was asked something."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await told(server, 10_000)
    began_s = server.at_s[0]
    return [at_s - began_s for at_s in server.at_s]


async def test_a_watch_begins_where_the_list_was() -> None:
    server = Server(lists=[5], watches=[[event("ADDED", settings("new", 6))]])
    assert await told(server, 2) == [Listed(objects=[settings("listed", 5)]), changed("new", 6)]
    assert server.asked == ["list", "5"]


async def test_what_is_deleted_is_none() -> None:
    server = Server(lists=[5], watches=[[event("DELETED", settings("listed", 6))]])
    key = Key(kind=CONFIG_MAP, name="listed", namespace="a")
    assert (await told(server, 2))[1] == Changed(key=key, manifest=None)


async def test_a_watch_that_ended_is_taken_up_where_it_was() -> None:
    new = event("ADDED", settings("new", 6))
    bookmark = event("BOOKMARK", {"metadata": {"resourceVersion": "9"}})
    newer = event("MODIFIED", settings("new", 10))
    server = Server(lists=[5], watches=[[new], [bookmark], ClusterUnavailable("it broke off"), [newer]])
    assert (await told(server, 3))[1:] == [changed("new", 6), changed("new", 10)]
    assert server.asked == ["list", "5", "6", "9", "9"]


@pytest.mark.parametrize(
    "forgotten",
    [
        pytest.param([GONE], id="told in the watch"),
        pytest.param(ApiRefused("too old", status=410, subject="configmaps"), id="told at once"),
        pytest.param([BROKEN], id="the server failed"),
        pytest.param([b"<html>"], id="no JSON"),
        pytest.param([b"[]"], id="no event"),
        pytest.param([event("ADDED", {"metadata": {}})], id="no object"),
    ],
)
async def test_what_cannot_be_told_any_more_is_listed_anew(forgotten: Answer) -> None:
    server = Server(lists=[5, 8], watches=[forgotten, [event("ADDED", settings("new", 9))]])
    assert await told(server, 3) == [
        Listed(objects=[settings("listed", 5)]),
        Listed(objects=[settings("listed", 8)]),
        changed("new", 9),
    ]
    assert server.asked == ["list", "5", "list", "8"]


async def test_what_only_the_server_needs_is_left_out() -> None:
    manifest = settings("new", 6)
    manifest["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    server = Server(lists=[5], watches=[[event("ADDED", manifest)]])
    assert (await told(server, 2))[1] == changed("new", 6)


async def test_pauses_double_until_the_longest() -> None:
    server = Server(lists=[ClusterUnavailable("away")], watches=[[]])
    times = await asked_within(server, 60)
    pauses = [round(later - sooner, 3) for sooner, later in pairwise(times)]
    assert pauses[:7] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, PAUSE_S_MAX]
    assert pauses[-1] == PAUSE_S_MAX


async def test_lists_that_work_do_not_shorten_the_pauses_of_watches_that_do_not() -> None:
    server = Server(lists=[5], watches=[[BROKEN]])
    assert len(await asked_within(server, 600)) < 2 * 600 / PAUSE_S_MAX


async def test_a_watch_that_ends_at_once_is_no_tight_loop() -> None:
    server = Server(lists=[5], watches=[[]])
    assert len(await asked_within(server, 600)) < 2 * 600 / PAUSE_S_MAX


async def test_where_nothing_happens_a_watch_is_taken_up_again_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server(lists=[7], watches=[WentQuiet("nothing came")])
    assert await asked_within(server, 3.5 * QUIET_S_MAX) == pytest.approx(
        [0, 0, *(QUIET_S_MAX * n for n in (1, 2, 3))]
    )
    assert server.asked == ["list", "7", "7", "7", "7"]
    assert "cannot follow" not in caplog.text


async def test_a_kind_that_is_missing_is_looked_for_now_and_then() -> None:
    server = Server(lists=[KindMissing("none"), KindMissing("none"), 5], watches=[[]])
    assert await told(server, 1) == [Listed(objects=[settings("listed", 5)])]
    assert [at_s - server.at_s[0] for at_s in server.at_s] == [0, MISSING_S, 2 * MISSING_S]


async def test_a_kind_may_go_while_it_is_followed() -> None:
    server = Server(lists=[5, 8], watches=[ApiRefused("404 page not found", status=404), []])
    assert (await told(server, 2))[1] == Listed(objects=[settings("listed", 8)])


async def test_a_refused_watch_is_tried_again() -> None:
    refused = ApiRefused("configmaps is forbidden", status=403, subject="configmaps")
    server = Server(lists=[5], watches=[refused, [event("ADDED", settings("new", 6))]])
    assert (await told(server, 2))[1] == changed("new", 6)


async def test_one_outage_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    away = [ClusterUnavailable("away") for _ in range(5)]
    server = Server(lists=[*away, 5], watches=[[event("ADDED", settings("new", 6))]])
    with caplog.at_level(logging.INFO, logger="adapter.cluster"):
        await told(server, 2)
    assert [record.message for record in caplog.records] == ["cannot follow", "followed again"]
