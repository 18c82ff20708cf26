"""`MM_TYPE_CONSTRAINTS`: which instances may hold models of a type, and which should.

Reference: ModelMesh core 4.16.

    {"rt:triton": {"required": ["rt:triton"], "preferred": ["gpu"]}, "_default": {"required": ["cpu"]}}

An instance may hold a model if it has all the labels that the model's type requires, and is preferred if it
has any that the type prefers. `_default` is for the types that are not listed.

For types without a preference of their own one is inferred, so that they drift to the instances that
particular types cannot use and leave the others to those: of the instances that may hold the model those
are preferred that score best, four for each type that may not use it, less one for each type that prefers
it.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

DEFAULT_TYPE: Final = "_default"

_PROHIBITED_WEIGHT: Final = 4
_SCORES_MAX: Final = 1_000
"""Sets of labels whose score is remembered; a mesh has few."""

Labels = tuple[str, ...]
"""What one instance has."""


class BadTypeConstraints(ValueError):
    """The constraints cannot be used; the text lists every complaint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeRule:
    """What one type asks of an instance."""

    required: Labels = ()
    preferred: Labels = ()


_ANYWHERE: Final = TypeRule()


class TypeConstraints:
    """The rules of all types."""

    def __init__(self, rules: Mapping[str, TypeRule]) -> None:
        self._rules = dict(rules)
        self._default = rules.get(DEFAULT_TYPE, _ANYWHERE)
        self._scores: dict[Labels, int] = {}

    def __repr__(self) -> str:
        return f"<TypeConstraints of {len(self._rules)} types>"

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._rules)

    @classmethod
    def parse(cls, text: str) -> "TypeConstraints":
        """Read the JSON; raises `BadTypeConstraints` with every complaint at once."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadTypeConstraints(f"is no JSON: {error}") from error
        complaints = list(_complaints(document))
        if complaints:
            raise BadTypeConstraints("; ".join(complaints))
        return cls({name: _rule(rule or {}) for name, rule in document.items()})

    def required(self, type_: str) -> Labels:
        """The labels that an instance must have, all of them."""
        return self._rules.get(type_, self._default).required

    def missing(self, type_: str, labels: Labels) -> tuple[str, ...]:
        """The required labels that an instance with these labels lacks."""
        required = self._rules.get(type_, self._default).required
        return tuple(label for label in required if label not in labels) if required else ()

    def prefers(self, type_: str, labels: Labels, all_labels: Collection[Labels]) -> bool:
        """Whether an instance with these labels is one of those that the type prefers.

        `all_labels` are those of all instances that may hold the model, this one's among them.
        """
        if not self._rules:
            return False
        preferred = self._rules.get(type_, self._default).preferred
        if preferred:
            return not set(labels).isdisjoint(preferred)
        scores = [self._score(each) for each in all_labels]
        return bool(scores) and min(scores) < max(scores) == self._score(labels)

    def _score(self, labels: Labels) -> int:
        score = self._scores.get(labels)
        if score is None:
            if len(self._scores) >= _SCORES_MAX:
                self._scores.clear()
            score = self._scores[labels] = sum(_worth(rule, set(labels)) for rule in self._rules.values())
        return score


NO_CONSTRAINTS: Final = TypeConstraints({})
"""Every instance may hold every model."""


def _worth(rule: TypeRule, labels: set[str]) -> int:
    """What it adds to an instance's score for models without a preference."""
    if not labels.issuperset(rule.required):
        return _PROHIBITED_WEIGHT
    return 0 if labels.isdisjoint(rule.preferred) else -1


def _rule(rule: Mapping[str, list[str] | None]) -> TypeRule:
    return TypeRule(
        required=tuple(dict.fromkeys(rule.get("required") or ())),
        preferred=tuple(dict.fromkeys(rule.get("preferred") or ())),
    )


def _complaints(document: object) -> Iterator[str]:
    """What is wrong with the document, all of it. Null stands for what is left out."""
    if not isinstance(document, dict):
        yield "must be a JSON object, of types"
        return
    for name, rule in document.items():
        if not isinstance(rule, dict | None):
            yield f'{name} must be an object, as {{"required": ["label"]}}'
            continue
        for key, labels in (rule or {}).items():
            if key not in {"required", "preferred"}:
                yield f"{name}.{key} is unknown (known are required, preferred)"
            elif not isinstance(labels, list | None) or not all(map(_is_label, labels or ())):
                yield f"{name}.{key} must be a list of labels, none of them empty"


def _is_label(label: object) -> bool:
    return isinstance(label, str) and bool(label)
