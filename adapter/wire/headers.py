"""Which model a call names in its metadata, and which metadata go on to the runtime.

Rules and texts are ModelMesh's (reference: ModelMesh core 2.2, 2.6), except that a custom header whose name
is the beginning of a reserved one is not lost, and that a repeated id is refused: one call names one model.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from adapter.domain.errors import InvalidRequest

Pair = tuple[str, str | bytes]
"""One entry of gRPC metadata: the key in lower case; bytes where it ends in `-bin`."""

LEGACY_MODEL_KEY = "tas-model-id"


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


def model_ref(metadata: Iterable[Pair]) -> ModelRef | None:
    """The model or alias that the metadata name, if any.

    Raises `InvalidRequest` for both kinds at once, an empty name, a name twice, or one that is not UTF-8.
    """
    named = [pair for pair in metadata if pair[0] in _ID_KEYS]
    if not named:
        return None
    found = [ref for kind in (RefKind.MODEL, RefKind.VMODEL) if (ref := _ref(kind, named)) is not None]
    if len(found) > 1:
        raise InvalidRequest("must include only one of model id and vmodel id")
    return found[0] if found else _ref_at(RefKind.MODEL, LEGACY_MODEL_KEY, named)


def outbound(metadata: Iterable[Pair], model: str | None) -> list[Pair]:
    """The metadata that go on to the runtime, with the concrete model's id in them if there is one."""
    kept = [pair for pair in metadata if _is_forwarded(pair[0])]
    if model is not None:
        kept.append(("mm-model-id-bin", model.encode()))
        if _is_printable(model):
            kept.append(("mm-model-id", model))
    return kept


_ID_KEYS = frozenset({"mm-model-id", "mm-model-id-bin", "mm-vmodel-id", "mm-vmodel-id-bin", LEGACY_MODEL_KEY})
_NOT_FORWARDED = frozenset({"content-type", "user-agent", LEGACY_MODEL_KEY})
_NOT_FORWARDED_PREFIXES = ("mm-", "grpc-")


def _is_forwarded(key: str) -> bool:
    return key not in _NOT_FORWARDED and not key.startswith(_NOT_FORWARDED_PREFIXES)


def _is_printable(name: str) -> bool:
    return name.isascii() and name.isprintable()


def _ref(kind: RefKind, named: list[Pair]) -> ModelRef | None:
    """The ASCII key wins over the binary one of the same kind."""
    key = f"mm-{kind.value}-id"
    return _ref_at(kind, key, named) or _ref_at(kind, f"{key}-bin", named)


def _ref_at(kind: RefKind, key: str, named: list[Pair]) -> ModelRef | None:
    values = list(_values(key, named))
    if not values:
        return None
    if len(values) > 1:
        raise InvalidRequest(f"{key} is there {len(values)} times; one call names one {kind.value}")
    if not values[0]:
        raise InvalidRequest(f"provided {kind.value}-id header must be non-empty")
    return ModelRef(kind, values[0])


def _values(key: str, named: list[Pair]) -> Iterator[str]:
    for found, value in named:
        if found == key:
            try:
                yield value if isinstance(value, str) else value.decode()
            except UnicodeDecodeError as error:
                raise InvalidRequest(f"{key} must be UTF-8") from error
