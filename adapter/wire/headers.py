"""Which models a call names in its metadata, what else it says of itself there, and what the runtime is told.

Rules and texts are ModelMesh's (reference: ModelMesh core 2.2 to 2.4, 2.6), except that a custom header whose
name is the beginning of a reserved one is not lost.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from adapter.domain.errors import InvalidRequest

Pair = tuple[str, str | bytes]
"""One entry of gRPC metadata: the key in lower case; bytes where it ends in `-bin`."""

LEGACY_MODEL_KEY = "tas-model-id"
BALANCED_KEY = "mm-balanced"
REQUIRED_KEY = "mm-required"
HOPS_KEY = "mm-hops"

HOP_MARK: Final[Pair] = (HOPS_KEY, "1")
"""On a call that one instance forwards to another. Who gets it serves the call itself, or refuses it."""

REFUSED_KEY = "mm-refused"
"""In the answer of an instance that will not answer a forwarded call: why, in a word. No client sees it."""

PEERS_ONLY_KEYS: Final = frozenset({HOPS_KEY, REFUSED_KEY, "mm-model-record-bin", "mm-resolved-model-bin"})
"""What instances say to each other of a call: believed by the peers' door, and not forwarded from others."""


class RefKind(Enum):
    """What kind of name it is."""

    MODEL = "model"
    VMODEL = "vmodel"
    EITHER = "either"
    """An alias of this name if there is one, else a model."""


@dataclass(frozen=True, slots=True)
class ModelRef:
    """What a call names: a model, or an alias that stands for one."""

    kind: RefKind
    name: str


def model_refs(metadata: Iterable[Pair]) -> tuple[ModelRef, ...]:
    """All models or aliases that the metadata name, in their order: each is sent the same call.

    Raises `InvalidRequest` for both kinds at once, an empty name, or one that is not UTF-8.
    """
    named = [pair for pair in metadata if pair[0] in _ID_KEYS]
    if not named:
        return ()
    models, vmodels = _refs(RefKind.MODEL, named), _refs(RefKind.VMODEL, named)
    if models and vmodels:
        raise InvalidRequest("must include only one of model id and vmodel id")
    return models or vmodels or _refs_at(RefKind.MODEL, LEGACY_MODEL_KEY, named)


def model_ref(metadata: Iterable[Pair]) -> ModelRef | None:
    """The one model or alias that the metadata name, if any.

    Raises `InvalidRequest` as `model_refs` does, and for several: not every call can go to more than one.
    """
    refs = model_refs(metadata)
    if len(refs) > 1:
        raise InvalidRequest(f"this call names one {refs[0].kind.value}, and its headers name {len(refs)}")
    return refs[0] if refs else None


def all_required(metadata: Iterable[Pair]) -> bool:
    """Whether a call for several models fails when one of them is not there; else it is left out."""
    return any(key == REQUIRED_KEY and str(value).lower() == "all" for key, value in metadata)


def is_balanced(metadata: Iterable[Pair]) -> bool:
    """Whether the caller spreads its calls over the instances itself."""
    return (BALANCED_KEY, "true") in metadata


def forwarded(metadata: Iterable[Pair]) -> list[Pair]:
    """Those of a caller's metadata that are not for the mesh or the transport."""
    return [pair for pair in metadata if _is_forwarded(pair[0])]


def model_metadata(model: str) -> list[Pair]:
    """What tells the runtime which model a call is for, whatever the caller named."""
    told: list[Pair] = [("mm-model-id-bin", model.encode())]
    if _is_printable(model):
        told.append(("mm-model-id", model))
    return told


_ID_KEYS = frozenset({"mm-model-id", "mm-model-id-bin", "mm-vmodel-id", "mm-vmodel-id-bin", LEGACY_MODEL_KEY})
_NOT_FORWARDED = frozenset({"content-type", "user-agent", LEGACY_MODEL_KEY})
_NOT_FORWARDED_PREFIXES = ("mm-", "grpc-")


def _is_forwarded(key: str) -> bool:
    return key not in _NOT_FORWARDED and not key.startswith(_NOT_FORWARDED_PREFIXES)


def _is_printable(name: str) -> bool:
    return name.isascii() and name.isprintable()


def _refs(kind: RefKind, named: list[Pair]) -> tuple[ModelRef, ...]:
    """The ASCII key wins over the binary one of the same kind."""
    key = f"mm-{kind.value}-id"
    return _refs_at(kind, key, named) or _refs_at(kind, f"{key}-bin", named)


def _refs_at(kind: RefKind, key: str, named: list[Pair]) -> tuple[ModelRef, ...]:
    names = tuple(_values(key, named))
    if not all(names):
        raise InvalidRequest(f"provided {kind.value}-id header must be non-empty")
    return tuple(ModelRef(kind, name) for name in names)


def _values(key: str, named: list[Pair]) -> Iterator[str]:
    for found, value in named:
        if found == key:
            try:
                yield value if isinstance(value, str) else value.decode()
            except UnicodeDecodeError as error:
                raise InvalidRequest(f"{key} must be UTF-8") from error
