"""`{{.Name}}` and the like in a container, filled in from a model's metadata (reference: KServe 2.2).

The part of Go's templates that runtimes use: fields, entries of maps, quoted text, and dashes that take the
blanks beside them away:

    {{.Name}}   {{ .Labels.team }}   {{index .Annotations "example.com/flavour"}}   {{"{{"}}   {{- .UID -}}

KServe fills in HTML and leaves out what is missing; here it is plain text, and what is missing is an error.
"""

import re
from collections.abc import Mapping
from typing import Final, cast

from adapter.controller.manifests.annotations import MODEL_FORMAT
from adapter.controller.manifests.complaints import BadManifest, Complaint, shown
from adapter.controller.manifests.reading import joined
from adapter.domain.kinds import Manifest
from adapter.domain.specs import ModelSpec

DEPTH_MAX: Final = 64
"""Of a container's JSON."""

TEXT_CHARS_MAX: Final = 1 << 20
"""Of one string, when it is filled in: the API server takes no larger object."""

_ACTION: Final = re.compile(r"\{\{(?P<what>(?:\"[^\"]*\"|[^\"}]|\}(?!\}))*)\}\}")
_FIELD: Final = re.compile(r"\.(?P<name>[A-Za-z_]\w*)(?:\.(?P<entry>[A-Za-z_]\w*))?", re.ASCII)
_INDEX: Final = re.compile(r"index\s+\.(?P<name>[A-Za-z_]\w*)\s+\"(?P<entry>[^\"\\]*)\"", re.ASCII)
_QUOTED: Final = re.compile(r"\"(?P<text>[^\"\\]*)\"")

Fields = Mapping[str, str | Mapping[str, str]]
"""What a template may name."""


def fields_of(model: ModelSpec, *, labels: Mapping[str, str] | None = None) -> Fields:
    """A model's metadata, and further labels that the choice of a runtime gives it."""
    own = model.identity
    return {
        "Name": own.name,
        "Namespace": own.namespace,
        "UID": own.uid,
        "Generation": str(own.generation),
        "CreationTimestamp": own.created,
        "Labels": {**(labels or {}), **own.labels},
        "Annotations": {MODEL_FORMAT: model.format.name, **own.annotations},
    }


def is_template(container: Manifest) -> bool:
    """Whether something in it would be filled in."""
    return any("{{" in text for text in _texts(container, DEPTH_MAX))


def filled_in(container: Manifest, fields: Fields, *, at: str = "spec.containers") -> Manifest:
    """The container for one model. Raises `BadManifest` with every place that cannot be filled in."""
    complaints: list[Complaint] = []
    filled = _filled(container, fields, at, complaints, DEPTH_MAX)
    if complaints:
        raise BadManifest(complaints)
    return cast("Manifest", filled)


def _texts(value: object, depth: int) -> list[str]:
    if isinstance(value, str):
        return [value]
    below = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [text for each in below for text in _texts(each, depth - 1)] if depth else []


def _filled(value: object, fields: Fields, at: str, complaints: list[Complaint], depth: int) -> object:
    if isinstance(value, str):
        return _filled_text(value, fields, at, complaints) if "{{" in value else value
    if not isinstance(value, Mapping | list):
        return value
    if not depth:
        complaints.append(Complaint(at, f"is nested more than {DEPTH_MAX} deep"))
        return value
    if isinstance(value, Mapping):
        return {
            key: _filled(each, fields, joined(at, str(key)), complaints, depth - 1)
            for key, each in value.items()
        }
    return [
        _filled(each, fields, joined(at, index), complaints, depth - 1) for index, each in enumerate(value)
    ]


def _filled_text(text: str, fields: Fields, at: str, complaints: list[Complaint]) -> str:
    parts: list[str] = []
    end = 0
    while (begin := text.find("{{", end)) >= 0:
        action = _ACTION.match(text, begin)
        if action is None:
            complaints.append(Complaint(at, "has a {{ without its }}"))
            return text
        what, before = action["what"], text[end:begin]
        is_trimmed = what[:1] == "-" and what[1:2].isspace()
        parts.append(before.rstrip() if is_trimmed else before)
        end = action.end()
        if what[-1:] == "-" and what[-2:-1].isspace():
            what = what[:-1]
            end += len(text) - end - len(text[end:].lstrip())
        try:
            parts.append(_value(what.removeprefix("-" if is_trimmed else "").strip(), fields))
        except ValueError as error:
            complaints.append(Complaint(at, str(error)))
    parts.append(text[end:])
    if sum(map(len, parts)) > TEXT_CHARS_MAX:
        complaints.append(Complaint(at, f"would have more than {TEXT_CHARS_MAX} characters, filled in"))
        return text
    return "".join(parts)


def _value(what: str, fields: Fields) -> str:
    """What one action stands for. Raises `ValueError`."""
    if quoted := _QUOTED.fullmatch(what):
        return quoted["text"]
    named = _FIELD.fullmatch(what) or _INDEX.fullmatch(what)
    if named is None:
        raise ValueError(
            f"cannot fill in {{{{{shown(what)}}}}}: "
            'a template is a field such as {{.Name}} or {{index .Labels "team"}}'
        )
    name, entry = named["name"], named["entry"]
    found = fields.get(name)
    if found is None or (isinstance(found, str) and entry is not None):
        raise ValueError(f"cannot fill in {{{{{shown(what)}}}}}: the fields are {', '.join(fields)}")
    if isinstance(found, str):
        return found
    if entry is None:
        raise ValueError(f"cannot fill in {{{{{shown(what)}}}}}: name an entry of .{name}")
    if entry not in found:
        raise ValueError(
            f"cannot fill in {{{{{shown(what)}}}}}: the model has none in metadata.{name.lower()}; add it"
        )
    return found[entry]
