"""One object in full for people, as `kubectl describe` prints what it has no page of its own for."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from adapter.controller.printing import field, since
from adapter.domain.kinds import SECRET, Kind, Manifest

INDENT: Final = "  "
GAP: Final = 2
_ACRONYMS: Final = frozenset({"API", "URL", "UID", "OSB", "GUID"})
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|-+")
_PLAIN: Final = re.compile(r"[^\W\d_-]+(?:-[^\W\d_]+)*")
_Row = tuple[str, str | None]
"""A title, and a value; None: further rows are its value."""
_SKIPPED: Final = frozenset({"name", "namespace", "labels", "annotations", "managedFields"})


def description(
    manifest: Manifest, kind: Kind, *, events: Sequence[Manifest] = (), now_ms: int
) -> Iterator[str]:
    """The page, line by line."""
    metadata = manifest["metadata"]
    body = {
        "metadata": {name: value for name, value in metadata.items() if name not in _SKIPPED},
        **{
            part: value
            for part, value in manifest.items()
            if part not in ("apiVersion", "kind", "metadata", *(["data"] if kind == SECRET else []))
        },
    }
    yield from _aligned([*_head(manifest, kind), *_mapping(body, 0)])
    if kind == SECRET:
        yield from _sizes(manifest)
    yield from _events(events, now_ms)


def about(events: Sequence[Manifest], manifest: Manifest, kind: Kind) -> list[Manifest]:
    """The events of this object, the latest last."""
    uid, name = manifest["metadata"].get("uid"), manifest["metadata"]["name"]
    mine = [
        event
        for event in events
        if field(event, "involvedObject", "kind") == kind.name
        and field(event, "involvedObject", "name") == name
        and field(event, "involvedObject", "uid") in (None, "", uid)
    ]
    return sorted(mine, key=_when)


def label(name: str) -> str:
    """`activeModelState` as `Active Model State`; a name with other signs than letters stays as it is."""
    if not _PLAIN.fullmatch(name):
        return name
    words = [word for word in _WORDS.findall(name) if word.strip("-")]
    return " ".join(
        word.upper() if word.upper() in _ACRONYMS else word[:1].upper() + word[1:] for word in words
    )


def _head(manifest: Manifest, kind: Kind) -> Iterator[_Row]:
    metadata = manifest["metadata"]
    rows = [
        ("Name", [metadata["name"]]),
        ("Namespace", [metadata.get("namespace") or ""]),
        ("Labels", [f"{name}={value}" for name, value in sorted((metadata.get("labels") or {}).items())]),
        (
            "Annotations",
            [f"{name}: {value}" for name, value in sorted((metadata.get("annotations") or {}).items())],
        ),
        ("API Version", [kind.api_version]),
        ("Kind", [kind.name]),
    ]
    for title, values in rows:
        for number, value in enumerate(values or ["<none>"]):
            yield "" if number else f"{title}:", value


def _mapping(fields: Mapping[str, object], depth: int) -> Iterator[_Row]:
    named = [(label(str(name)), value) for name, value in fields.items()]
    for title, value in sorted(named) if depth else named:
        if _is_nested(value):
            yield f"{INDENT * depth}{title}:", None
            yield from _nested(value, depth + 1)
        else:
            first, *more = _text(value).splitlines() or [""]
            yield f"{INDENT * depth}{title}:", first
            for line in more:
                yield INDENT * depth, line


def _nested(value: object, depth: int) -> Iterator[_Row]:
    if isinstance(value, Mapping):
        yield from _mapping(value, depth)
    elif isinstance(value, list):
        for each in value:
            if _is_nested(each):
                yield from _nested(each, depth)
            else:
                yield f"{INDENT * depth}{_text(each)}", None


def _aligned(rows: Sequence[_Row]) -> Iterator[str]:
    """Values stand below each other as far as no row without one comes in between."""
    for has_value, block in groupby(rows, key=lambda row: row[1] is not None):
        lines = list(block)
        width = max(len(left) for left, _ in lines) + GAP if has_value else 0
        for left, right in lines:
            yield f"{left:<{width}}{right or ''}".rstrip()


def _is_nested(value: object) -> bool:
    return isinstance(value, Mapping | list) and bool(value)


def _text(value: object) -> str:
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case dict() | list():
            return ""
        case _:
            return str(value)


def _sizes(manifest: Manifest) -> Iterator[str]:
    """What a secret holds is not shown, only how much."""
    yield ""
    yield "Data"
    yield "===="
    for name, value in sorted((manifest.get("data") or {}).items()):
        try:
            yield f"{name}:  {len(base64.b64decode(str(value)))} bytes"
        except (binascii.Error, ValueError):
            yield f"{name}:  not base64"


def _events(events: Sequence[Manifest], now_ms: int) -> Iterator[str]:
    if not events:
        yield "Events:  <none>"
        return
    rows = [("Type", "Reason", "Age", "From", "Message"), ("----", "------", "----", "----", "-------")]
    rows += [
        (
            str(event.get("type") or ""),
            str(event.get("reason") or ""),
            _age(event, now_ms),
            str(field(event, "source", "component") or event.get("reportingComponent") or ""),
            str(event.get("message") or "").strip(),
        )
        for event in events
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    yield "Events:"
    for row in rows:
        *cells, message = row
        first, *more = message.splitlines() or [""]
        start = "".join(cell.ljust(width + GAP) for cell, width in zip(cells, widths, strict=True))
        yield f"{INDENT}{start}{first}"
        for line in more:
            yield f"{INDENT}{' ' * len(start)}{line}"


def _age(event: Manifest, now_ms: int) -> str:
    last = since(_when(event), now_ms)
    count, first = event.get("count"), event.get("firstTimestamp")
    if isinstance(count, int) and count > 1 and first:
        return f"{last} (x{count} over {since(str(first), now_ms)})"
    return last


def _when(event: Manifest) -> str:
    created = field(event, "metadata", "creationTimestamp")
    return str(event.get("lastTimestamp") or event.get("eventTime") or created or "")
