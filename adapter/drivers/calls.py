"""Calls to a runtime: the channel that they take, and what a foreign error means in our words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc

from adapter.domain.errors import AdapterError, RuntimeFailed, RuntimeUnavailable

RECONNECT_MS_MIN = 50
RECONNECT_MS_MAX = 1_000
IDLE_MS_MAX = 2**31 - 1
MESSAGE_BYTES_MAX = 64 * 1024 * 1024
"""Of a management answer; an index of a runtime that is full of models is some megabytes."""

STATUS_S_MAX = 5.0
UNLOAD_S_MAX = 120.0

Meaning = Callable[[grpc.StatusCode, str], AdapterError | None]
"""What a code and its text mean, said by who knows the runtime; None: nothing special."""


def open_channel(address: str) -> grpc.aio.Channel:
    """A channel to a runtime's management port, `127.0.0.1:port` or `unix:path`; the caller closes it.

    A runtime is on this machine and may restart, so the channel tries again soon, and through no proxy.
    """
    return grpc.aio.insecure_channel(
        address,
        options=(
            ("grpc.initial_reconnect_backoff_ms", RECONNECT_MS_MIN),
            ("grpc.min_reconnect_backoff_ms", RECONNECT_MS_MIN),
            ("grpc.max_reconnect_backoff_ms", RECONNECT_MS_MAX),
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.enable_http_proxy", 0),
            # An idle connection stays: its end is how we see that a runtime has gone.
            ("grpc.client_idle_timeout_ms", IDLE_MS_MAX),
        ),
    )


@contextmanager
def our_words(deed: str, meaning: Meaning | None = None) -> Iterator[None]:
    """Translate a grpc error, once. `deed` says what was asked, as in "loading iris".

    What nobody can give a special meaning is `RuntimeFailed`, which keeps the runtime's own code and text.
    """
    try:
        yield
    except grpc.aio.AioRpcError as error:
        code, text = error.code(), error.details() or "no reason given"
        raise (meaning and meaning(code, text)) or _plain_meaning(deed, code, text) from error


def _plain_meaning(deed: str, code: grpc.StatusCode, text: str) -> AdapterError:
    match code:
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            # Whoever cancels a call of ours from here sees its own cancellation; this one came from there.
            return RuntimeUnavailable(f"the runtime is not there ({deed}): {text}")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return RuntimeUnavailable(f"the runtime did not answer in time ({deed}): {text}")
        case _:
            return RuntimeFailed(f"{deed} failed in the runtime: {code.name}: {text}")
