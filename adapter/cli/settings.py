"""From the environment and the flags to settings, with every complaint at once."""

from typing import TypeVar

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo

S = TypeVar("S", bound=BaseModel)


class BadSettings(Exception):
    """One or more settings are wrong; the text has a line for each, which names the variable."""


def read_settings(program: type[S], **flags: object) -> S:
    """The settings of this process; a flag that is not None wins over the environment.

    Raises `BadSettings`.
    """
    fields = program.model_fields
    given = {_variable(fields[name]): value for name, value in flags.items() if value is not None}
    try:
        return program(**given)
    except ValidationError as error:
        raise BadSettings("\n".join(_all_complaints(program, given, error))) from error


def settings_help(program: type[BaseModel]) -> str:
    """The settings as the end of the command's help."""
    # click wraps a paragraph unless it begins with \b.
    lines = ["Environment variables, with their defaults:", "", "\b"]
    for name, default, about in settings_table(program):
        lines.append(f"  {name}" + (f"  [{default}]" if default else ""))
        lines.append(f"      {about}")
    return "\n".join(lines)


def settings_table(program: type[BaseModel]) -> list[tuple[str, str, str]]:
    """Each setting as (variable, default, what it is)."""
    return [
        (_variable(field), "" if field.default is None else str(field.default), field.description or "")
        for field in program.model_fields.values()
    ]


def _all_complaints(program: type[BaseModel], given: dict[str, object], error: ValidationError) -> list[str]:
    told = _complaints(error)
    # How settings go together is judged only once each is sound by itself: put the defaults for the bad ones.
    wrong = {str(complaint["loc"][0]) for complaint in error.errors() if complaint["loc"]}
    defaults = {
        name: field.default for field in program.model_fields.values() if (name := _variable(field)) in wrong
    }
    if defaults:
        try:
            program(**(given | defaults))
        except ValidationError as further:
            told += [line for line in _complaints(further) if line not in told]
    return told


def _complaints(error: ValidationError) -> list[str]:
    told: list[str] = []
    for complaint in error.errors():
        ours = complaint["type"] == "value_error"
        # What was given is not repeated: a secret may have landed in the wrong variable.
        text = str(complaint["ctx"]["error"]) if ours else complaint["msg"]
        if complaint["loc"]:
            told.append(f"{complaint['loc'][0]}: {text}")
        else:
            told += text.splitlines()
    return told


def _variable(field: FieldInfo) -> str:
    choices = field.validation_alias
    assert isinstance(choices, AliasChoices)
    return str(choices.choices[0])
