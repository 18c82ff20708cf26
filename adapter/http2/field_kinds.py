"""What a field of a header list is to us, by its name.

Which fields a runtime is sent is ModelMesh's rule (reference: ModelMesh core 2.6), except that a custom
header whose name is the beginning of a reserved one is not lost.
"""

import re
from enum import IntEnum
from typing import Final

from adapter.wire.headers import LEGACY_MODEL_KEY, PEERS_ONLY_KEYS


class Kind(IntEnum):
    """What a field is to us, by its name."""

    FORWARDED = 0
    """Nothing: it goes on."""
    TIMEOUT = 1
    NOT_FORWARDED = 2
    """It goes on to a peer, and not to a runtime."""
    ID = 3
    """It is for the mesh: it names the model, or says how the call is meant."""
    ENCODING = 4
    PSEUDO = 5
    CHECKED = 6
    """Its value is looked at."""
    MALFORMED = 7
    PEERS_ONLY = 8
    """As `ID`; but only another instance may say it, so none of it is forwarded from a client."""


_NAME = re.compile(rb"[!-9;-@\[-~]+")
"""RFC 9113, section 8.2.1: no capitals, no colon, nothing that cannot be seen."""

PSEUDO: Final = {b":method": 1, b":scheme": 2, b":path": 4, b":authority": 8}
"""The pseudo-header fields of a request, each with a bit."""

_KINDS = {
    **dict.fromkeys(PSEUDO, Kind.PSEUDO),
    b"connection": Kind.MALFORMED,
    b"proxy-connection": Kind.MALFORMED,
    b"keep-alive": Kind.MALFORMED,
    b"transfer-encoding": Kind.MALFORMED,
    b"upgrade": Kind.MALFORMED,
    b"te": Kind.CHECKED,
    b"content-type": Kind.CHECKED,
    b"content-length": Kind.CHECKED,
    b"user-agent": Kind.NOT_FORWARDED,
    b"grpc-timeout": Kind.TIMEOUT,
    b"grpc-encoding": Kind.ENCODING,
    b"grpc-accept-encoding": Kind.FORWARDED,
    LEGACY_MODEL_KEY.encode(): Kind.ID,
    **{key.encode(): Kind.PEERS_ONLY for key in PEERS_ONLY_KEYS},
}


def kind_of(name: bytes) -> Kind:
    """What a field of this name is to us."""
    known = _KINDS.get(name)
    if known is not None:
        return known
    if not _NAME.fullmatch(name):
        return Kind.MALFORMED
    if name.startswith(b"mm-"):
        return Kind.ID
    return Kind.NOT_FORWARDED if name.startswith(b"grpc-") else Kind.FORWARDED
