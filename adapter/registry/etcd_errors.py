"""What an error of etcd, or of the way to it, means: who is at fault, and whether anything was done.

etcd tells most things by its own texts ("etcdserver: ..."), several under one gRPC code.
"""

from enum import Enum
from typing import Final

import grpc

from adapter.domain.errors import AdapterError, InvalidRequest, RegistryUnavailable
from adapter.registry.registry import LeaseLost


class Fault(Enum):
    """What can be done about an error."""

    UNSENT = "this endpoint cannot be reached; nothing was done"
    ELECTING = "there is no leader at the moment; nothing was done"
    LOST = "there was no answer; it may have been done"
    TOKEN = "the token has expired, or there is none; nothing was done"  # noqa: S105 - no password
    LEASE = "the lease has ended; nothing was done"
    REVISION = "the revision is compacted away, or not reached yet; nothing was done"
    INVALID = "the request itself is wrong; nothing was done"
    REFUSED = "etcd does not do it for us; nothing was done"


MOVES_ON: Final = frozenset({Fault.UNSENT, Fault.ELECTING, Fault.LOST})
"""After these another endpoint may do better."""

_UNSENT_TEXTS: Final = ("failed to connect", "dns resolution failed", "domain name not found")
_ELECTING_TEXTS: Final = ("etcdserver: no leader", "etcdserver: leader changed")
TOKEN_TEXTS: Final = ("invalid auth token", "revision of auth store is old", "user name is empty")
_LEASE_TEXT: Final = "lease not found"

_NO_TLS: Final = "it may speak no TLS: name the endpoint with http://, or set `tls_mode`"

# What gRPC and etcd say, in lower case; the first that fits counts.
_HINTS: Final = (
    ("certificate_verify_failed", "its certificate is not signed by `certificate`, or is for another name"),
    ("hostname verification", "its certificate is for another name: set `override_authority`"),
    ("wrong_version_number", _NO_TLS),
    ("handshake read failed", _NO_TLS),
    ("unwrap failed", "it may want a client certificate, or another: see `client_certificate`, `client_key`"),
    ("last error: unavailable", "it may want TLS: name the endpoint with https://, or set `tls_mode`"),
    ("authentication failed", "`userid` or `password` is wrong"),
    ("user name is empty", "it wants to know who is asking: set `userid` and `password`"),
    ("permission denied", "this user may not read and write all keys below `root_prefix`"),
    ("database space exceeded", "its disk quota is used up: compact, defragment, disarm the alarm"),
    ("too many requests", "it has more to do than it can"),
)


def fault_of(error: grpc.aio.AioRpcError) -> Fault:
    """What can be done about this error."""
    code, text = error.code(), (error.details() or "").lower()
    if code is grpc.StatusCode.UNAUTHENTICATED or any(known in text for known in TOKEN_TEXTS):
        return Fault.TOKEN
    if _LEASE_TEXT in text:
        return Fault.LEASE
    if code is grpc.StatusCode.UNAVAILABLE:
        if text.startswith(_UNSENT_TEXTS):
            return Fault.UNSENT
        return Fault.ELECTING if text in _ELECTING_TEXTS else Fault.LOST
    return _BY_CODE.get(code, Fault.LOST)


_BY_CODE: Final = {
    grpc.StatusCode.OUT_OF_RANGE: Fault.REVISION,
    grpc.StatusCode.INVALID_ARGUMENT: Fault.INVALID,
    grpc.StatusCode.PERMISSION_DENIED: Fault.REFUSED,
    grpc.StatusCode.FAILED_PRECONDITION: Fault.REFUSED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Fault.REFUSED,
    grpc.StatusCode.UNIMPLEMENTED: Fault.REFUSED,
    grpc.StatusCode.NOT_FOUND: Fault.REFUSED,
}


class Unreachable(RegistryUnavailable):
    """Nothing was done, since the endpoint did not take the call."""


class Silent(RegistryUnavailable):
    """The call went out, and no answer came."""


class RevisionGone(RegistryUnavailable):
    """What was asked for as of a revision that etcd no longer has, or does not have yet."""


def our_error(
    error: grpc.aio.AioRpcError, *, deed: str, endpoint: str, writes: bool
) -> AdapterError | LeaseLost:
    """The same in our words; `deed` says what was asked, as in "reading iris"."""
    fault, text = fault_of(error), error.details() or "no reason given"
    match fault:
        case Fault.LEASE:
            return LeaseLost(f"the lease has ended ({deed})")
        case Fault.REVISION:
            return RevisionGone(f"the registry at {endpoint} does not have this revision ({deed}): {text}")
        case Fault.INVALID:
            return InvalidRequest(f"the registry at {endpoint} cannot do this ({deed}): {text}{_hint(text)}")
        case Fault.UNSENT | Fault.ELECTING:
            return Unreachable(f"the registry at {endpoint} cannot be reached ({deed}): {text}{_hint(text)}")
        case Fault.LOST:
            return Silent(f"{_lost(error, text, endpoint, deed)}{_DOUBT if writes else ''}")
        case Fault.TOKEN | Fault.REFUSED:
            return RegistryUnavailable(f"the registry at {endpoint} refuses ({deed}): {text}{_hint(text)}")


_DOUBT: Final = "; it may have been written all the same: look before you write again"


def _lost(error: grpc.aio.AioRpcError, text: str, endpoint: str, deed: str) -> str:
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"the registry at {endpoint} did not answer in time ({deed})"
    return f"the connection to the registry at {endpoint} was lost ({deed}): {text}"


def _hint(text: str) -> str:
    lowered = text.lower()
    return next((f"; {hint}" for known, hint in _HINTS if known in lowered), "")
