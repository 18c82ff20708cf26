"""Manifests as people write them: YAML or JSON, several documents a file, read as kubectl reads them.

One bad document harms no other. What YAML has and JSON has not (dates, keys that are no text, references to
itself) becomes what Kubernetes makes of it, or a complaint.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import yaml

from adapter.domain.kinds import Manifest

TEXT_BYTES_MAX: Final = 64 << 20
"""Of one file."""
NODES_MAX: Final = 2_000_000
"""Values in one document, those that aliases repeat counted each time."""
DEPTH_MAX: Final = 64

_MARK: Final = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_BASE: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BASE_DUMPER: type[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One of the documents of a text."""

    number: int
    """From 1; what says nothing is not counted."""
    text: str
    manifests: tuple[Manifest, ...] = ()
    """One, or what a `List` has."""
    complaint: str = ""
    """Why it cannot be read; then there are no manifests."""


class BadDocument(ValueError):
    """It is no manifest; the text says why, with the line."""


def documents(text: str, *, is_json: bool = False) -> Iterator[Document]:
    """Each document of a file, with its text as it stands there."""
    number = 0
    for first_line, part in [(0, text)] if is_json else _parts(text):
        try:
            value = _json_value(part) if is_json else _yaml_value(part, first_line)
            manifests = () if value is None else tuple(_manifests(value))
        except BadDocument as error:
            number += 1
            yield Document(number=number, text=part, complaint=str(error))
            continue
        if value is not None:
            number += 1
            yield Document(number=number, text=part, manifests=manifests)


def written(value: object) -> str:
    """A value as YAML, keys sorted, as kubectl prints it."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, width=4096, sort_keys=True
    )
    return text


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """Each document, with the number of lines before it; together they are the whole text."""
    starts = [match.start() for match in _MARK.finditer(text)]
    if not starts or text[: starts[0]].strip():
        starts.insert(0, 0)
    else:
        starts[0] = 0
    first_line = 0
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        part = text[start:end]
        yield first_line, part
        first_line += part.count("\n")


def _manifests(value: object) -> Iterator[Manifest]:
    if not isinstance(value, dict):
        raise BadDocument(f"it is to be an object with apiVersion, kind and metadata, not {_called(value)}")
    items = value.get("items")
    if value.get("kind") != "List" or not isinstance(items, list):
        yield value
        return
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            raise BadDocument(f"items[{number}]: is to be an object, not {_called(item)}")
        yield item


def _json_value(text: str) -> object:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadDocument(f"it is not JSON: {error}") from None
    return _Plain().value(value)


def _yaml_value(text: str, first_line: int = 0) -> object:
    try:
        value = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise BadDocument(f"it is not YAML: {_told(error, first_line)}") from None
    except (ValueError, RecursionError) as error:
        raise BadDocument(f"it is not YAML: {error}") from None
    return _Plain().value(value)


def _told(error: yaml.YAMLError, first_line: int) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    # The text itself is not repeated: it may be a secret's.
    if mark is None:
        return str(problem)
    return f"{problem} (line {first_line + mark.line + 1}, column {mark.column + 1})"


def _called(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list() | tuple():
            return "a list"
        case _:
            return "a mapping"


class _Plain:
    """A copy of a value that JSON can have, of bounded size."""

    def __init__(self) -> None:
        self._left = NODES_MAX

    def value(self, given: object, depth: int = 0) -> object:
        self._left -= 1
        if self._left < 0:
            raise BadDocument(f"it has more than {NODES_MAX} values")
        if depth > DEPTH_MAX:
            raise BadDocument(f"it is nested more than {DEPTH_MAX} deep")
        match given:
            case dict():
                return {_key(key): self.value(each, depth + 1) for key, each in given.items()}
            case list() | tuple():
                return [self.value(each, depth + 1) for each in given]
            case float() if not math.isfinite(given):
                raise BadDocument("it has a number that is infinite, or none")
            case None | bool() | int() | float() | str():
                return given
            case _:
                raise BadDocument(f"it has a value that JSON cannot have ({type(given).__name__})")


def _key(key: object) -> str:
    match key:
        case str():
            return key
        case bool():
            return "true" if key else "false"
        case int() | float():
            return str(key)
        case _:
            raise BadDocument("it has a key that is no text")


class _Loader(_BASE):  # type: ignore[misc]
    """YAML as Kubernetes reads it: dates are texts, and no key stands there twice."""

    yaml_implicit_resolvers: ClassVar[Any] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002
        """Raises `yaml.YAMLError` for a key that is there twice."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} is there twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


class _Dumper(_BASE_DUMPER):  # type: ignore[misc]
    """Whatever could be read as something else is quoted; nothing is an alias."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the library's
        return True


def _resolvers(loader: Any, dumper: Any) -> None:  # noqa: ANN401
    tags: Sequence[tuple[str, str, list[str | None]]] = (
        (
            "bool",
            r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF",
            [*"yYnNtTfFoO"],
        ),
        ("int", r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)", [*"-+0123456789"]),
        (
            "float",
            r"[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?",
            [*"-+.0123456789"],
        ),
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("merge", "<<", ["<"]),
    )
    for name, pattern, first in tags:
        compiled = re.compile(f"(?:{pattern})\\Z")
        for owner in (loader, dumper):
            owner.add_implicit_resolver(f"tag:yaml.org,2002:{name}", compiled, first)


_resolvers(_Loader, _Dumper)
