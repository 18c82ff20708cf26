"""Whether a call that the runtime ended with an error is tried once more, unseen by its client.

Reference: ModelMesh core 2.6. As there, a request may run more than once; only one that has had no answer yet
is repeated, and only as long as its first message is all that was sent.
"""

import re
from dataclasses import dataclass
from enum import Enum

from adapter.domain.errors import Code

COPY_LOST_MAX = 2
"""How often one call may have its model loaded again; then the runtime means what it says."""

RECONNECTS_MAX = 1
"""How often one call may be sent again because the runtime's connection broke."""

REFUSALS_MAX = 50
"""How often because the runtime refused the stream: it has not looked at it (RFC 9113, section 8.7), and may
have room again as soon as it has seen what became of another."""

PEER_TRIES_MAX = 8
"""How many other instances one call may be sent to (reference: ModelMesh core 4.1)."""

_TRITON_UNKNOWN = re.compile(
    r"Request for unknown model.*(is not found|has no available versions)", re.DOTALL
)
_MLSERVER_UNKNOWN = re.compile(r"Model [^:]+ not found\.?")


class Again(Enum):
    """What to do with a call that failed."""

    NO = "no"
    """Its error is the answer."""
    COPY_LOST = "copy lost"
    """The runtime has lost the model: have it loaded, then send the call again."""
    RECONNECT = "reconnect"
    """The connection broke: send the call again."""


def is_unknown_model(code: Code, text: str) -> bool:
    """Whether a runtime says so that it does not hold the model."""
    match code:
        case Code.NOT_FOUND:
            return True
        case Code.UNAVAILABLE:
            return _TRITON_UNKNOWN.search(text) is not None
        case Code.INVALID_ARGUMENT:
            return _MLSERVER_UNKNOWN.fullmatch(text) is not None
        case _:
            return False


@dataclass(slots=True)
class Retries:
    """What one call has been through."""

    copies_lost: int = 0
    reconnects: int = 0
    refusals: int = 0
    peers: int = 0

    def after_peer(self) -> bool:
        """Whether to try again after another instance did not answer the call, and count it."""
        self.peers += 1
        return self.peers < PEER_TRIES_MAX

    def after_refusal(self) -> Again:
        """What to do after the stream was refused, and count it."""
        if self.refusals < REFUSALS_MAX:
            self.refusals += 1
            return Again.RECONNECT
        return Again.NO

    def after(self, code: Code, text: str) -> Again:
        """What to do after this error, and count it."""
        if is_unknown_model(code, text):
            if self.copies_lost < COPY_LOST_MAX:
                self.copies_lost += 1
                return Again.COPY_LOST
        elif code is Code.UNAVAILABLE and self.reconnects < RECONNECTS_MAX:
            self.reconnects += 1
            return Again.RECONNECT
        return Again.NO
