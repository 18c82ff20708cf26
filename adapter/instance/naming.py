"""Which models a call names: in its headers, in its message, or as another instance has found out already."""

from dataclasses import dataclass
from typing import Final

from adapter.domain.errors import InvalidRequest
from adapter.http2.call import Call
from adapter.wire.headers import ModelRef, Pair, RefKind, model_refs
from adapter.wire.splice import Located

REMEMBERED_MAX: Final = 10_000
"""Methods, ids and models of which something is remembered: clients choose their names."""
REMEMBERED_CHARS_MAX: Final = 512
"""How long such a name may be."""

RESOLVED_KEY: Final = "mm-resolved-model-bin"
"""On a forwarded call: the model that the other instance has found the call to be for."""
RECORD_KEY: Final = "mm-model-record-bin"
"""On a call that is forwarded to have its model loaded: the registration, as the registry has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How one method's calls are read and written."""

    id_path: tuple[int, ...] = ()
    """Where the message names the model."""
    id_kind: RefKind = RefKind.MODEL
    headers_first: bool = False
    injection_path: tuple[int, ...] = ()
    """Where the runtime wants the model's name."""
    forwarded: bool = False
    """Another instance sent the call here: it is answered here, or refused."""


class Naming:
    """Finds the names, and remembers what header fields said."""

    def __init__(self) -> None:
        self._refs: dict[tuple[Pair, ...], tuple[ModelRef, ...]] = {}

    def named(self, call: Call, reading: Reading) -> tuple[tuple[ModelRef, ...], Located | None]:
        """Whom the call is for, and where the message says so, if it does. Raises `InvalidRequest`."""
        ids = call.head.ids
        if reading.forwarded:
            return (_resolved(ids),), call.located(reading.id_path) if reading.id_path else None
        if ids and (reading.headers_first or not reading.id_path) and (refs := self.in_headers(ids)):
            return refs, None
        if reading.id_path:
            found = call.located(reading.id_path)
            if found is not None:
                if not found.value:
                    raise InvalidRequest("provided model id in the message must be non-empty")
                return (ModelRef(reading.id_kind, found.value),), found
        refs = self.in_headers(ids)
        if not refs:
            raise InvalidRequest("must include mm-model-id header")
        return refs, None

    def in_headers(self, ids: tuple[Pair, ...]) -> tuple[ModelRef, ...]:
        """The models or aliases that the headers name. Raises `InvalidRequest`."""
        refs = self._refs.get(ids)
        if refs is None:
            refs = model_refs(ids)
            if len(self._refs) >= REMEMBERED_MAX:
                self._refs.clear()
            if sum(len(key) + len(value) for key, value in ids) <= REMEMBERED_CHARS_MAX:
                self._refs[ids] = refs
        return refs


def _resolved(ids: tuple[Pair, ...]) -> ModelRef:
    """As the forwarding instance says; it says so after all that the client said."""
    name = last_of(ids, RESOLVED_KEY)
    if name is None:
        raise InvalidRequest("a forwarded call must name its model")
    try:
        return ModelRef(RefKind.MODEL, name.decode())
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{RESOLVED_KEY} must be UTF-8") from error


def last_of(ids: tuple[Pair, ...], key: str) -> bytes | None:
    """The last binary value of this key."""
    for name, value in reversed(ids):
        if name == key and isinstance(value, bytes):
            return value
    return None
