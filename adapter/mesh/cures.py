"""What would help: one sentence for each way in which a load fails (docs/errors.md), and a copy goes."""

from collections.abc import Mapping
from typing import Final

from adapter.domain.errors import Code
from adapter.mesh.departures import Gone
from adapter.mesh.wording import in_bytes

BY_CODE: Final[Mapping[Code, str]] = {
    Code.CANCELLED: "Ask for it again.",
    Code.UNKNOWN: "Read the text, which is the runtime's own, and its log.",
    Code.INVALID_ARGUMENT: "Mend the model key of the registration, or the key of storage-config that it "
    "names, as the text says.",
    Code.DEADLINE_EXCEEDED: "Raise LOADTIME_TIMEOUT, or make the model quicker to load.",
    Code.NOT_FOUND: "Register the model with registerModel.",
    Code.ALREADY_EXISTS: "Unregister the model first, or register under another name.",
    Code.PERMISSION_DENIED: "Mend the credentials of the storage key that the registration names; they are "
    "read again.",
    Code.RESOURCE_EXHAUSTED: "Make room: more memory (CONTAINER_MEM_REQ_BYTES) or another instance for the "
    "models, or a bigger volume if the text says that the disk is full.",
    Code.FAILED_PRECONDITION: "Mend the path of the registration, or put the model's files there.",
    Code.ABORTED: "Ask for it again.",
    Code.OUT_OF_RANGE: "Give the runtime more memory (CONTAINER_MEM_REQ_BYTES), or make the model smaller.",
    Code.UNIMPLEMENTED: "Register it with a type whose runtime can load this format, or install the format's "
    "library in the runtime.",
    Code.INTERNAL: "Read the text, which is the runtime's own; if the load took too long, raise "
    "LOADTIME_TIMEOUT.",
    Code.UNAVAILABLE: "Check that the storage endpoint of the key, and the runtime, can be reached; it "
    "is tried again soon.",
    Code.DATA_LOSS: "Put sound files in the place of those that cannot be read.",
    Code.UNAUTHENTICATED: "Mend the credentials of the storage key that the registration names; they are "
    "read again.",
}

OF_QUARANTINE: Final = (
    "Mend the model's files, then unregister and register it, which forgets that the runtime ended."
)

LOAD_BEFORE: Final = "The next call loads it; ensureLoaded loads it before, and minCopies keeps it loaded."


def for_failure(code: Code) -> str:
    """What helps against a failed load."""
    return BY_CODE.get(code, BY_CODE[Code.INTERNAL])


def for_departure(why: Gone, size_bytes: int) -> str:
    """What brings a copy back that went, and would have kept it; `size_bytes` is what it took, 0: unknown."""
    room = f"by {in_bytes(size_bytes)}" if size_bytes else "by as much as it takes"
    match why:
        case Gone.EVICTED:
            return (
                "The next call loads it again; to keep it, raise the memory for models "
                f"(CONTAINER_MEM_REQ_BYTES) {room}, or register it with minCopies or pin."
            )
        case Gone.SURPLUS | Gone.UNLOADED:
            return "The next call loads it again; register it with minCopies to have it kept loaded."
        case Gone.RESTARTED | Gone.LOST:
            return "The next call loads it again; the runtime's log tells why the runtime let it go."
        case Gone.UNREGISTERED | Gone.OTHER:
            return LOAD_BEFORE


def for_size(needed_bytes: int, *, overhead_bytes: int) -> str:
    """What makes room for a model that no instance is big enough for."""
    container_bytes = needed_bytes + overhead_bytes
    return (
        f"Set CONTAINER_MEM_REQ_BYTES of an instance to {container_bytes} ({in_bytes(container_bytes)}) or "
        "more, or make the model smaller."
    )
