"""Who reads slowly is waited for, and nothing piles up meanwhile: streams far larger than the relay may grow.

`make soak NAME=slow_reader` does the same with 1 GiB.
"""

import os
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from adapter.domain.errors import Code
from tests.integration import raw_http2 as raw
from tests.integration.echo_runtime import Plan, filling
from tests.integration.raw_http2 import RawClient, grpc_message, window_update
from tests.integration.watched import (
    BIDI,
    MIB,
    SERVER_STREAM,
    TO_MODEL,
    UNARY,
    Watched,
    resident_bytes,
    watched,
)

MESSAGES = int(os.environ.get("REMESH_SOAK_MIB", "192"))
MESSAGE_BYTES = MIB
GROWTH_BYTES_MAX = 16 * MIB
STOPS = 4
STOP_S = 0.4
LOOK_S = 0.01


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("slow-reader") / "up") as running:
        with running.connect() as client:
            for _ in range(20):
                client.answer(client.call(UNARY, b"x", TO_MODEL))
        running.comes_to_rest()
        yield running


class Reading(RawClient):
    """Keeps no more than the length and the check sum of what comes; gives credit for it, if asked to."""

    size = crc = 0
    gives_credit = False
    _owed = 0

    def took(self, stream: int, payload: bytes) -> None:
        self.size += len(payload)
        self.crc = zlib.crc32(payload, self.crc)
        self._owed += len(payload)
        if self.gives_credit and self._owed > raw.DEFAULT_WINDOW // 2:
            self.send(window_update(stream, self._owed), window_update(0, self._owed))
            self._owed = 0


@contextmanager
def little_grown(up: Watched) -> Iterator[None]:
    """The relay's memory does not grow beyond what is allowed at any time."""
    pid, ended = up.door.process.child.pid, threading.Event()
    idle_bytes = most_bytes = resident_bytes(pid)

    def look() -> None:
        nonlocal most_bytes
        while not ended.wait(LOOK_S):
            most_bytes = max(most_bytes, resident_bytes(pid))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield
    finally:
        ended.set()
        looking.join()
    assert most_bytes - idle_bytes < GROWTH_BYTES_MAX, f"{(most_bytes - idle_bytes) / MIB:.1f} MiB"


def read_with_stops(client: Reading, size: int) -> None:
    """To the end; now and then nothing is read for a while, and then slowly for a while."""
    stops = [size * number // (STOPS + 1) for number in range(STOPS, 0, -1)]
    slowly = 0
    while client.size < size:
        assert client.read(), "nothing more came"
        if stops and client.size > stops[-1]:
            stops.pop()
            time.sleep(STOP_S)
            slowly = 100
        elif slowly:
            slowly -= 1
            time.sleep(0.001)


@pytest.mark.parametrize(
    "window", [raw.DEFAULT_WINDOW, raw.WINDOW_MAX], ids=["a small window", "an unread socket"]
)
@pytest.mark.timeout(900)
def test_a_slow_reader_gets_everything(up: Watched, window: int) -> None:
    plan = Plan(responses=MESSAGES, size=MESSAGE_BYTES)
    message = grpc_message(filling(MESSAGE_BYTES))
    crc = 0
    for _ in range(MESSAGES):
        crc = zlib.crc32(message, crc)
    greeting = raw.wide_open() if window == raw.WINDOW_MAX else raw.narrow(window)
    client = Reading(up.door.port, greeting=greeting, receive_buffer_bytes=64 * 1024)
    client.gives_credit = window != raw.WINDOW_MAX
    up.witness.forget()
    with little_grown(up), client:
        stream = client.begin(SERVER_STREAM, [*TO_MODEL, ("echo-plan", str(plan))])
        client.data(stream, grpc_message(b"x"), end=True)
        read_with_stops(client, MESSAGES * len(message))
        assert client.answer(stream).status == Code.OK
    assert client.crc == crc
    up.witness.was_not_disturbed()
    up.comes_to_rest()


@pytest.mark.timeout(900)
def test_a_slow_runtime_gets_everything(up: Watched) -> None:
    """It reads nothing for a while, and then a message now and then."""
    plan = Plan(delay_ms=1000, size=1, pause_ms=5)
    message = grpc_message(b"y" * MESSAGE_BYTES)
    up.witness.forget()
    with little_grown(up), up.connect() as client:
        metadata = [*TO_MODEL, ("echo-plan", str(plan)), ("echo-call", "of a slow runtime")]
        stream = client.begin(BIDI, metadata)
        for number in range(MESSAGES):
            client.upload(stream, message, end=number == MESSAGES - 1)
        answer = client.answer(stream, wait_s=120)
        assert answer.status == Code.OK
        assert answer.data.count(grpc_message(filling(1))) == MESSAGES
    assert up.runtime.seen("of a slow runtime").sizes == [MESSAGE_BYTES] * MESSAGES
    up.witness.was_not_disturbed()
    up.comes_to_rest()
