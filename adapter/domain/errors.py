"""Errors of the adapter: who can do something about it, with which code, and whether to try again.

AdapterError
├── Refused                    the caller, or whoever registered the model, can do something about it
│   ├── InvalidRequest         INVALID_ARGUMENT     no id, two ids, a message that cannot be read
│   ├── ModelNotFound          NOT_FOUND            nothing is registered under this name
│   ├── ModelExists            ALREADY_EXISTS       registered, with other attributes
│   ├── MethodNotPermitted     UNIMPLEMENTED        the runtime or the configuration does not offer it
│   ├── CallerNotAllowed       PERMISSION_DENIED    the method is offered, and not to this client
│   ├── BadModelKey            INVALID_ARGUMENT     the model key is not the JSON it must be
│   ├── StorageKeyUnknown      INVALID_ARGUMENT     `storage-config` has no such key, or not a usable one
│   ├── StorageAccessDenied    PERMISSION_DENIED    the store refuses the credentials of the key
│   ├── ObjectMissing          FAILED_PRECONDITION  no object at the path, or no such bucket
│   ├── ModelCorrupt           DATA_LOSS            the files are there and cannot be read
│   ├── FormatUnsupported      UNIMPLEMENTED        the runtime cannot load a model of this format
│   ├── ModelTooBig            OUT_OF_RANGE         bigger than all the room there is
│   ├── RuntimeCrashed         FAILED_PRECONDITION  the runtime ended on it, more than once: quarantined
│   └── NowhereToLoad          RESOURCE_EXHAUSTED   no instance of the mesh may hold it, or has room for it
└── Broken                     we, or a neighbour, failed
    ├── StorageUnreachable     UNAVAILABLE          the endpoint does not answer; remembered for 10 s
    ├── DiskFull               RESOURCE_EXHAUSTED   no room for the files; remembered for 10 s
    ├── CacheBusy              RESOURCE_EXHAUSTED   everything loaded is in use; not remembered
    ├── RuntimeUnavailable     UNAVAILABLE          the runtime is not there; not remembered
    ├── PeerUnreachable        UNAVAILABLE          another instance does not answer; not remembered
    ├── RegistryUnavailable    UNAVAILABLE          the registry does not answer; not remembered
    ├── RegistryReadOnly       INTERNAL             this mesh may not change its registry; not remembered
    ├── RecordUnreadable       INTERNAL             what the registry has under this name is no registration
    ├── RuntimeFailed          INTERNAL             the runtime said no, for a reason of its own
    └── LoadTimedOut           INTERNAL             the load took longer than the runtime allows

Codes are gRPC's. The documented table of what a user sees is `docs/errors.md`; a test keeps both alike.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import ClassVar, Final


class Code(IntEnum):
    """gRPC status codes, by their numbers, so that pure code can name them without grpc."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class AdapterError(Exception):
    """The root. The text is for the person who can mend it, and never holds a secret."""

    code: ClassVar[Code] = Code.INTERNAL
    remember_s: ClassVar[float | None] = None
    """How long a load that failed so is not tried again; None: as long as the setting says."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else type(self).__name__

    @property
    def described(self) -> str:
        """`CODE: text`, as ModelMesh's status calls list failures; a runtime's words may begin so already."""
        code, text = f"{self.code.name}: ", str(self)
        return text if text.startswith(code) else code + text


class Refused(AdapterError):
    """Trying the same again helps nobody."""

    code = Code.FAILED_PRECONDITION


class InvalidRequest(Refused):
    """The call itself is wrong."""

    code = Code.INVALID_ARGUMENT


class ModelNotFound(Refused):
    """Nothing is registered under this name."""

    code = Code.NOT_FOUND


class ModelExists(Refused):
    """Registered already, with other attributes."""

    code = Code.ALREADY_EXISTS


class MethodNotPermitted(Refused):
    """This method is not offered here."""

    code = Code.UNIMPLEMENTED


class CallerNotAllowed(Refused):
    """This method is offered to others."""

    code = Code.PERMISSION_DENIED


class BadModelKey(Refused):
    """The model key, or what it asks for, is not as the puller must have it."""

    code = Code.INVALID_ARGUMENT


class StorageKeyUnknown(Refused):
    """`storage-config` has no such key, or one that cannot be used."""

    code = Code.INVALID_ARGUMENT


class StorageAccessDenied(Refused):
    """The store refuses the credentials."""

    code = Code.PERMISSION_DENIED


class ObjectMissing(Refused):
    """There is no object at this path."""


class ModelCorrupt(Refused):
    """The files are there, and the runtime cannot read them."""

    code = Code.DATA_LOSS


class FormatUnsupported(Refused):
    """The runtime cannot load models of this format."""

    code = Code.UNIMPLEMENTED


class ModelTooBig(Refused):
    """Bigger than all the room there is."""

    code = Code.OUT_OF_RANGE


class RuntimeCrashed(Refused):
    """The runtime ended while it loaded or answered this model, more than once in the mesh."""


class NowhereToLoad(Refused):
    """No instance may hold it, or those that may have no room."""

    code = Code.RESOURCE_EXHAUSTED
    remember_s = 0.0


class Broken(AdapterError):
    """Not the caller's fault."""


class StorageUnreachable(Broken):
    """The store does not answer."""

    code = Code.UNAVAILABLE
    remember_s = 10.0


class DiskFull(Broken):
    """The local disk has no room for the files."""

    code = Code.RESOURCE_EXHAUSTED
    remember_s = 10.0


class CacheBusy(Broken):
    """All that is loaded is in use, or too much waits already."""

    code = Code.RESOURCE_EXHAUSTED
    remember_s = 0.0


class RuntimeUnavailable(Broken):
    """The runtime does not answer."""

    code = Code.UNAVAILABLE
    remember_s = 0.0


class PeerUnreachable(Broken):
    """Another instance does not answer."""

    code = Code.UNAVAILABLE
    remember_s = 0.0


class RegistryUnavailable(Broken):
    """The registry does not answer."""

    code = Code.UNAVAILABLE
    remember_s = 0.0


class RegistryReadOnly(Broken):
    """This mesh may not change its registry (`KV_READ_ONLY`)."""

    remember_s = 0.0


class RecordUnreadable(Broken):
    """What stands in the registry under this key is not such a record."""


class RuntimeFailed(Broken):
    """The runtime refused, for a reason of its own."""


class LoadTimedOut(Broken):
    """The runtime did not load the model within the time it named itself."""


_BY_CODE: Final[Mapping[Code, type[AdapterError]]] = {
    Code.INVALID_ARGUMENT: BadModelKey,
    Code.NOT_FOUND: ModelNotFound,
    Code.PERMISSION_DENIED: StorageAccessDenied,
    Code.RESOURCE_EXHAUSTED: NowhereToLoad,
    Code.FAILED_PRECONDITION: Refused,
    Code.OUT_OF_RANGE: ModelTooBig,
    Code.UNIMPLEMENTED: FormatUnsupported,
    Code.UNAVAILABLE: PeerUnreachable,
    Code.DATA_LOSS: ModelCorrupt,
}


def told_elsewhere(code: Code, text: str) -> AdapterError:
    """What another instance said of a load, as an error of ours with the same code, or INTERNAL."""
    return _BY_CODE.get(code, RuntimeFailed)(text)
