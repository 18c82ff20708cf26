"""What every client does once, with grpcio; see `exercises.py`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc

WAIT_S_MAX = 20.0
MESSAGE_BYTES_MAX = 16 << 20
OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.default_authority", "localhost"),
    ("grpc.ssl_target_name_override", "localhost"),
]


def asked_of() -> dict[str, str]:
    return {key: value for key, _, value in (word.partition("=") for word in sys.argv[1:])}


def credentials(asked: dict[str, str]) -> grpc.ChannelCredentials | None:
    """None: plaintext."""
    if "ca" not in asked:
        return None
    key, chain = (Path(asked[name]).read_bytes() if name in asked else None for name in ("key", "cert"))
    return grpc.ssl_channel_credentials(Path(asked["ca"]).read_bytes(), key, chain)


def metadata(asked: dict[str, str], exercise: str) -> tuple[tuple[str, str], ...]:
    plan = asked.get(f"plan.{exercise}")
    pairs = (("mm-model-id", asked["model"]), ("echo-call", f"{asked['run']}{exercise}"))
    return (*pairs, ("echo-plan", plan)) if plan else pairs


def tell(what: str, value: object) -> None:
    sys.stdout.buffer.write(f"{what}={value}\n".encode())
    sys.stdout.buffer.flush()


def number(code: grpc.StatusCode) -> int:
    return int(code.value[0])


def pattern(asked: dict[str, str]) -> bytes:
    return bytes(range(256)) * (int(asked["large"]) // 256) + bytes(int(asked["large"]) % 256)


def tell_error(error: Any) -> None:
    trailing = dict(error.trailing_metadata())
    tell("error", number(error.code()))
    tell("error.details", error.details())
    tell("error.status", trailing["grpc-status-details-bin"].hex())


class Exercises:
    """All of them, over one channel."""

    def __init__(self, channel: grpc.Channel, asked: dict[str, str]) -> None:
        self._channel = channel
        self._asked = asked

    def all(self) -> None:
        for exercise in (
            self.unary,
            self.streams,
            self.bidi,
            self.large,
            self.error,
            self.deadline,
            self.cancel,
        ):
            exercise()

    def _unary(self, exercise: str, message: bytes, timeout_s: float = WAIT_S_MAX) -> tuple[bytes, Any]:
        start: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary("/test.Echo/Unary")
        return start.with_call(message, metadata=metadata(self._asked, exercise), timeout=timeout_s)

    def _bidi(self, exercise: str) -> tuple["SimpleQueue[bytes | None]", Any]:
        requests: SimpleQueue[bytes | None] = SimpleQueue()
        start: Any = self._channel.stream_stream("/test.Echo/Bidi")
        until_none: Iterator[bytes] = iter(requests.get, None)
        return requests, start(until_none, metadata=metadata(self._asked, exercise), timeout=WAIT_S_MAX)

    def unary(self) -> None:
        message, call = self._unary("unary", b"hello")
        tell("unary", message.decode())
        tell("unary.initial", dict(call.initial_metadata())["initial"])
        tell("unary.trailing", dict(call.trailing_metadata())["trailing-bin"].hex())

    def streams(self) -> None:
        up: Any = self._channel.stream_unary("/test.Echo/ClientStream")
        options = {"metadata": metadata(self._asked, "client_stream"), "timeout": WAIT_S_MAX}
        tell("client_stream", up(iter([b"a", b"b", b"c"]), **options).decode())
        down: Any = self._channel.unary_stream("/test.Echo/ServerStream")
        options = {"metadata": metadata(self._asked, "server_stream"), "timeout": WAIT_S_MAX}
        tell("server_stream", b",".join(down(b"x", **options)).decode())

    def bidi(self) -> None:
        requests, call = self._bidi("bidi")
        words = []
        for word in (b"one", b"two", b"three"):
            requests.put(word)
            words.append(next(call).decode())
        requests.put(None)
        assert list(call) == []
        tell("bidi", ",".join([*words, str(number(call.code()))]))

    def large(self) -> None:
        sent = pattern(self._asked)
        tell("large", "same" if self._unary("large", sent)[0] == sent else "other")

    def error(self) -> None:
        try:
            self._unary("error", b"x")
        except grpc.RpcError as error:
            tell_error(error)

    def deadline(self) -> None:
        try:
            self._unary("deadline", b"x", timeout_s=int(self._asked["deadline_ms"]) / 1e3)
        except grpc.RpcError as error:
            tell("deadline", number(error.code()))

    def cancel(self) -> None:
        requests, call = self._bidi("cancel")
        requests.put(b"one")
        next(call)
        call.cancel()
        tell("cancel", number(call.code()))
        requests.put(None)


def main() -> None:
    asked = asked_of()
    secrets = credentials(asked)
    channel = (
        grpc.secure_channel(asked["target"], secrets, OPTIONS)
        if secrets
        else grpc.insecure_channel(asked["target"], OPTIONS)
    )
    with channel:
        Exercises(channel, asked).all()


if __name__ == "__main__":
    main()
