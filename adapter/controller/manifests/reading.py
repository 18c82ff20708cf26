"""JSON to values by a declared shape; what does not fit becomes complaints with field paths and a cure."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from adapter.controller.manifests.complaints import BadManifest, Complaint, shown
from adapter.domain.kinds import Kind, Manifest

S = TypeVar("S", bound="Shape")

_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_KINDS: Final = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
}
_KEY_MARK: Final = "[key]"
"""How pydantic says that not the value but the key of a map is wrong."""


class Shape(BaseModel):
    """Part of an object. What is not declared is passed over; `null` is as if it were not there."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, alias_generator=to_camel)


def fitted(shape: type[S], value: object, *, at: str, complaints: list[Complaint]) -> S | None:
    """The value in this shape. If it does not fit: None, and every complaint is added to the list."""
    if not isinstance(value, Mapping):
        complaints.append(Complaint(at, _not_an("an object", value)))
        return None
    try:
        return shape.model_validate(dict(value))
    except ValidationError as error:
        complaints += [_complaint(each, at) for each in error.errors(include_url=False)]
        return None


def section(manifest: Manifest, name: str) -> object:
    """A part of the object, empty if it is not there."""
    found = manifest.get(name)
    return {} if found is None else found


def kind_among(manifest: Manifest, kinds: tuple[Kind, ...]) -> Kind:
    """Which of these kinds the object is. Raises `BadManifest`."""
    for kind in kinds:
        if manifest.get("kind") == kind.name:
            if manifest.get("apiVersion") != kind.api_version:
                raise BadManifest([Complaint("apiVersion", f"must be {kind.api_version} for a {kind}")])
            return kind
    raise BadManifest([Complaint("kind", f"must be {' or '.join(map(str, kinds))}")])


def kind_of_json(value: object) -> str:
    """What a JSON value is, in a sentence."""
    if isinstance(value, Mapping):
        return "an object"
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def joined(at: str, *steps: str | int) -> str:
    """A field path, further down."""
    for step in steps:
        if isinstance(step, int):
            at += f"[{step}]"
        elif not _PLAIN_NAME.fullmatch(step):
            at += f"[{shown(step)}]"
        else:
            at += f".{step}" if at else step
    return at


def _complaint(error: Mapping[str, Any], at: str) -> Complaint:
    steps = [step for step in error["loc"] if step != _KEY_MARK]
    text = _text(error)
    return Complaint(joined(at, *steps), f"the key {text}" if _KEY_MARK in error["loc"] else text)


def _text(error: Mapping[str, Any]) -> str:
    wording = _WORDINGS.get(error["type"])
    return str(error["msg"]) if wording is None else wording(error.get("input"), error.get("ctx", {}))


def _not_an(wanted: str, value: object) -> str:
    cure = (
        "; put it in quotes"
        if wanted == "a string" and isinstance(value, int | float)
        else "; leave the quotes out"
        if wanted in {"a whole number", "true or false"} and isinstance(value, str)
        else ""
    )
    return f"must be {wanted}, not {kind_of_json(value)}{cure}"


def _wanted(wanted: str) -> Callable[[object, Mapping[str, Any]], str]:
    return lambda value, _context: _not_an(wanted, value)


_WORDINGS: Final[Mapping[str, Callable[[object, Mapping[str, Any]], str]]] = {
    "missing": lambda _value, _context: "is missing",
    "string_type": _wanted("a string"),
    "string_unicode": lambda _value, _context: "must be Unicode text",
    "int_type": _wanted("a whole number"),
    "bool_type": _wanted("true or false"),
    "dict_type": _wanted("an object"),
    "model_type": _wanted("an object"),
    "list_type": _wanted("a list"),
    "greater_than_equal": lambda _value, context: f"must be at least {context['ge']}",
    "less_than_equal": lambda _value, context: f"must be at most {context['le']}",
    "string_too_short": lambda _value, _context: "must not be empty",
    "too_long": lambda _value, context: f"must have at most {context['max_length']} of them",
    "too_short": lambda _value, _context: "must have an entry",
    "literal_error": lambda _value, context: f"must be {context['expected']}",
    "value_error": lambda _value, context: str(context["error"]),
}
