"""Which objects are meant by words on a command line, as kubectl has it: `isvc a b`, `isvc/a`, `isvc,sr`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapter.cluster.local_kinds import KINDS, kind_named
from adapter.domain.errors import InvalidRequest
from adapter.domain.kinds import Key, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Objects of one kind."""

    kind: Kind
    names: tuple[str, ...] = ()
    """Empty: all of them."""

    def keys(self, namespace: str) -> Iterator[Key]:
        """Those that are named."""
        for name in self.names:
            yield Key(kind=self.kind, name=name, namespace=namespace if self.kind.namespaced else "")


def asked_for(words: Sequence[str]) -> list[Asked]:
    """What is meant. Raises `InvalidRequest`."""
    if not words:
        raise InvalidRequest(f"You must specify the type of resource, one of: {_known()}")
    slashed = [word for word in words if "/" in word]
    if not slashed:
        kinds, *names = words
        return [Asked(kind=_kind(word), names=tuple(names)) for word in kinds.split(",")]
    if len(slashed) < len(words):
        raise InvalidRequest(
            "there is no need to specify a resource type as a separate argument beside TYPE/NAME"
        )
    return [
        Asked(kind=_kind(kind), names=(name,)) for kind, _, name in (word.partition("/") for word in words)
    ]


def labels_of(selector: str) -> Mapping[str, str]:
    """`a=b,c=d` as labels. Raises `InvalidRequest`."""
    labels = {}
    for part in filter(None, selector.split(",")):
        name, equals, value = part.partition("=")
        if not equals or name.endswith("!") or not name.strip():
            raise InvalidRequest(f"--selector: {part!r} is to be like NAME=VALUE")
        labels[name.strip()] = value.removeprefix("=").strip()
    return labels


def _kind(word: str) -> Kind:
    kind = kind_named(word)
    if kind is None:
        raise InvalidRequest(f'the server doesn\'t have a resource type "{word}"; there are {_known()}')
    return kind


def _known() -> str:
    return ", ".join(("models", *(kind.plural for kind in KINDS)))
