"""Objects for people, as kubectl prints them: tables with ModelMesh's columns, names, JSON and YAML's values.

Columns: reference: serving controller 1.1, 1.4, 1.5. What kubectl leaves empty is empty here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from adapter.domain.kinds import (
    CLUSTER_SERVING_RUNTIME,
    CONFIG_MAP,
    EVENT,
    INFERENCE_SERVICE,
    NAMESPACE,
    PREDICTOR,
    SECRET,
    SERVING_RUNTIME,
    Key,
    Kind,
    Manifest,
)

PADDING: Final = 3
CELL_MIN: Final = 6
"""A column is as wide as this at least, its padding included."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table; `wide` ones only with `-o wide`."""

    title: str
    cell: Callable[[Manifest], str]
    wide: bool = False


def columns(kind: Kind, *, now_ms: int, wide: bool = False, namespace: bool = False) -> Sequence[Column]:
    """Of a table of this kind, from the left."""
    age = Column("AGE", lambda manifest: _age(manifest, now_ms))
    special = _SPECIAL.get(kind, ())
    if kind == EVENT:
        whole = [Column("LAST SEEN", lambda event: since(_last_seen(event), now_ms)), *special]
    else:
        whole = [
            Column("NAME", _at("metadata", "name")),
            *(column for column in special if not column.wide),
            age,
            *(column for column in special if column.wide),
        ]
    place = [Column("NAMESPACE", _at("metadata", "namespace"))] if namespace and kind.namespaced else []
    return [*place, *(column for column in whole if wide or not column.wide)]


class Printer:
    """Rows of one table; columns only grow wider, as a table that is watched must."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        """May be replaced by the same ones of a later moment."""
        self._widths = [0] * len(columns)

    def lines(self, manifests: Iterable[Manifest], *, headers: bool = True) -> list[str]:
        """The next rows, with the titles above them if wanted."""
        titles = [[column.title for column in self.columns]] if headers else []
        rows = [*titles, *([column.cell(each) for column in self.columns] for each in manifests)]
        for row in rows:
            self._widths = [max(width, len(cell)) for width, cell in zip(self._widths, row, strict=True)]
        return [self._line(row) for row in rows]

    def _line(self, row: Sequence[str]) -> str:
        last = len(row) - 1
        return "".join(
            cell if number == last else cell.ljust(max(self._widths[number] + PADDING, CELL_MIN))
            for number, cell in enumerate(row)
        )


def told_name(kind: Kind, name: str) -> str:
    """As `-o name` and `kubectl apply` have it."""
    return f"{kind.name.lower()}{_dot(kind)}/{name}"


def told_kind(kind: Kind) -> str:
    """As `kubectl delete` has it."""
    return f"{kind.name.lower()}{_dot(kind)}"


def not_found(key: Key) -> str:
    """What is said of a name that nothing has."""
    return f'Error from server (NotFound): {key.kind.plural}{_dot(key.kind)} "{key.name}" not found'


def _dot(kind: Kind) -> str:
    return f".{kind.group}" if kind.group else ""


def shown(manifest: Manifest) -> Manifest:
    """Without what is of no interest to a person."""
    metadata = {name: value for name, value in manifest["metadata"].items() if name != "managedFields"}
    return {**manifest, "metadata": metadata}


def document(manifests: Sequence[Manifest], *, single: bool) -> Manifest:
    """What `-o json` and `-o yaml` print: the one that was asked for, or a list."""
    if single:
        return shown(manifests[0])
    items = [shown(each) for each in manifests]
    return {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}


def since(moment: str, now_ms: int) -> str:
    """How long ago, as kubectl says it; `<unknown>` for what is no moment."""
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return "<unknown>"
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return duration(now_ms / 1e3 - then.timestamp())


_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_YEAR: Final = 365 * _DAY
_STEPS: Final = (
    # Below so many seconds: the greater unit, the lesser one (0: none), with their letters.
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)


def duration(seconds: float) -> str:
    """`16s`, `3m20s`, `47h`, `2d5h`: as kubectl has it."""
    whole = max(int(seconds), 0)
    for below, unit, letter, lesser, lesser_letter in _STEPS:
        if whole < below:
            rest = whole % unit // lesser if lesser else 0
            return f"{whole // unit}{letter}" + (f"{rest}{lesser_letter}" if rest else "")
    return f"{whole // _YEAR}y"


def field(manifest: object, *path: str) -> Any:  # noqa: ANN401 - JSON
    """The value there; None if there is none, whatever stands in its way."""
    for name in path:
        if not isinstance(manifest, Mapping):
            return None
        manifest = manifest.get(name)
    return manifest


def _at(*path: str) -> Callable[[Manifest], str]:
    return lambda manifest: _cell(field(manifest, *path))


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def _age(manifest: Manifest, now_ms: int) -> str:
    return since(str(field(manifest, "metadata", "creationTimestamp") or ""), now_ms)


def _last_seen(event: Manifest) -> str:
    return str(
        event.get("lastTimestamp")
        or field(event, "series", "lastObservedTime")
        or event.get("eventTime")
        or ""
    )


def _items(manifest: Manifest, *path: str) -> list[Mapping[str, object]]:
    found = field(manifest, *path)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _ready(manifest: Manifest) -> str:
    conditions = _items(manifest, "status", "conditions")
    return next((_cell(each.get("status")) for each in conditions if each.get("type") == "Ready"), "")


def _traffic(told: str, **wanted: object) -> Callable[[Manifest], str]:
    """Of a revision of the predictor; under ModelMesh there is none, and the column stays empty."""

    def cell(manifest: Manifest) -> str:
        shares = _items(manifest, "status", "components", "predictor", "traffic")
        return next((_cell(each.get(told)) for each in shares if wanted.items() <= dict(each).items()), "")

    return cell


def _first(name: str, *path: str) -> Callable[[Manifest], str]:
    """The API server prints the first of several."""
    return lambda manifest: next((_cell(each.get(name)) for each in _items(manifest, *path)), "")


def _formats(manifest: Manifest) -> str:
    formats = _items(manifest, "spec", "supportedModelFormats")
    return ",".join(
        ":".join(filter(None, (_cell(each.get("name")), _cell(each.get("version"))))) for each in formats
    )


def _protocols(manifest: Manifest) -> str:
    told = field(manifest, "spec", "protocolVersions")
    return ",".join(map(str, told)) if isinstance(told, list) else ""


def _object(event: Manifest) -> str:
    about = field(event, "involvedObject") or {}
    return f"{_cell(about.get('kind')).lower()}/{_cell(about.get('name'))}"


def _count(part: str) -> Callable[[Manifest], str]:
    return lambda manifest: str(len(field(manifest, part) or ()))


_MODEL_STATUS: Final = ("status", "modelStatus")
_RUNTIME: Final = (
    Column("DISABLED", _at("spec", "disabled")),
    Column("MODELTYPE", _first("name", "spec", "supportedModelFormats")),
    Column("CONTAINERS", _first("name", "spec", "containers")),
    Column("FORMATS", _formats, wide=True),
    Column("PROTOCOLS", _protocols, wide=True),
)
_SPECIAL: Final[Mapping[Kind, Sequence[Column]]] = {
    INFERENCE_SERVICE: (
        Column("URL", _at("status", "url")),
        Column("READY", _ready),
        Column("PREV", _traffic("percent", tag="prev")),
        Column("LATEST", _traffic("percent", latestRevision=True)),
        Column("PREVROLLEDOUTREVISION", _traffic("revisionName", tag="prev")),
        Column("LATESTREADYREVISION", _traffic("revisionName", latestRevision=True)),
        Column("ACTIVEMODEL", _at(*_MODEL_STATUS, "states", "activeModelState"), wide=True),
        Column("TARGETMODEL", _at(*_MODEL_STATUS, "states", "targetModelState"), wide=True),
        Column("TRANSITION", _at(*_MODEL_STATUS, "transitionStatus"), wide=True),
        Column("REASON", _at(*_MODEL_STATUS, "lastFailureInfo", "reason"), wide=True),
    ),
    PREDICTOR: (
        Column("TYPE", _at("spec", "modelType", "name")),
        Column("AVAILABLE", _at("status", "available")),
        Column("ACTIVEMODEL", _at("status", "activeModelState")),
        Column("TARGETMODEL", _at("status", "targetModelState")),
        Column("TRANSITION", _at("status", "transitionStatus")),
        Column("FAILEDCOPIES", _at("status", "failedCopies"), wide=True),
        Column("REASON", _at("status", "lastFailureInfo", "reason"), wide=True),
    ),
    SERVING_RUNTIME: _RUNTIME,
    CLUSTER_SERVING_RUNTIME: _RUNTIME,
    SECRET: (
        Column("TYPE", lambda secret: _cell(secret.get("type") or "Opaque")),
        Column("DATA", _count("data")),
    ),
    CONFIG_MAP: (Column("DATA", _count("data")),),
    NAMESPACE: (Column("STATUS", lambda manifest: _cell(field(manifest, "status", "phase") or "Active")),),
    EVENT: (
        Column("TYPE", _at("type")),
        Column("REASON", _at("reason")),
        Column("OBJECT", _object),
        Column("MESSAGE", lambda event: _cell(event.get("message")).strip()),
    ),
}
