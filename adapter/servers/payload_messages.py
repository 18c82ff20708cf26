"""A message as payload processors are shown it: ModelMesh's JSON (reference: ModelMesh core 2.11)."""

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from adapter.wire.headers import Pair

BLOCK_BYTES = 49_152
"""What a thread encodes at once, holding up the loop that long; a multiple of 3, as base64 must have it."""

CREDENTIAL_KEYS = frozenset({"authorization", "proxy-authorization", "cookie"})
"""Metadata that prove who the caller is; they are nobody else's to see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """One request or response message of a call."""

    id: str
    """The same for the request and the response of one call."""
    model_id: str
    vmodel_id: str = ""
    method: str
    """`package.Service/Method`."""
    kind: Literal["request", "response"]
    status: str = ""
    """Of a response: gRPC's name of the code."""
    metadata: Sequence[Pair] = field(default=(), repr=False)
    data: bytes = field(default=b"", repr=False)
    """The message, as it was encoded."""


def body_of(payload: Payload) -> tuple[int, Iterator[bytes]]:
    """The length of the JSON, and its parts as they are needed: a message is never there twice in full."""
    head = json.dumps(
        {"id": payload.id, "modelid": payload.model_id, "vModelId": payload.vmodel_id or None}
    ).encode()
    tail = json.dumps(
        {"kind": payload.kind, "status": payload.status, "metadata": _told(payload.metadata)}
    ).encode()
    before, after = head[:-1] + b', "data": "', b'", ' + tail[1:]
    data_length = -(-len(payload.data) // 3) * 4
    return len(before) + data_length + len(after), _parts(before, payload.data, after)


def _parts(before: bytes, data: bytes, after: bytes) -> Iterator[bytes]:
    yield before
    view = memoryview(data)
    for start in range(0, len(data), BLOCK_BYTES):
        yield b64encode(view[start : start + BLOCK_BYTES])
    yield after


def _told(metadata: Sequence[Pair]) -> dict[str, str]:
    """A map: values of one key are joined, as gRPC joins them; binary ones are base64."""
    told: dict[str, str] = {}
    for key, value in metadata:
        if key not in CREDENTIAL_KEYS:
            text = value if isinstance(value, str) else b64encode(value).decode()
            told[key] = f"{told[key]},{text}" if key in told else text
    return told
