"""From the environment and the flags to settings, with every complaint at once."""

from pydantic import AliasChoices, ValidationError
from pydantic.fields import FieldInfo

from adapter.instance.settings import InstanceSettings


class BadSettings(Exception):
    """One or more settings are wrong; the text has a line for each, which names the variable."""


def read_settings(**flags: object) -> InstanceSettings:
    """The settings of this process; a flag that is not None wins over the environment.

    Raises `BadSettings`.
    """
    given = {_variable(_FIELDS[name]): value for name, value in flags.items() if value is not None}
    try:
        return InstanceSettings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise BadSettings("\n".join(_all_complaints(given, error))) from error


def settings_table() -> list[tuple[str, str, str]]:
    """Each setting as (variable, default, what it is), for `--help`."""
    return [
        (_variable(field), "" if field.default is None else str(field.default), field.description or "")
        for field in _FIELDS.values()
    ]


def _all_complaints(given: dict[str, object], error: ValidationError) -> list[str]:
    told = _complaints(error)
    # How settings go together is judged only once each is sound by itself: put the defaults for the bad ones.
    wrong = {str(complaint["loc"][0]) for complaint in error.errors() if complaint["loc"]}
    defaults = {name: field.default for field in _FIELDS.values() if (name := _variable(field)) in wrong}
    if defaults:
        try:
            InstanceSettings(**(given | defaults))  # type: ignore[arg-type]
        except ValidationError as further:
            told += [line for line in _complaints(further) if line not in told]
    return told


def _complaints(error: ValidationError) -> list[str]:
    told: list[str] = []
    for complaint in error.errors():
        if complaint["type"] == "value_error":
            told += str(complaint["ctx"]["error"]).splitlines()
        else:
            # What was given is not repeated: a secret may have landed in the wrong variable.
            told.append(f"{complaint['loc'][0]}: {complaint['msg']}")
    return told


def _variable(field: FieldInfo) -> str:
    choices = field.validation_alias
    assert isinstance(choices, AliasChoices)
    return str(choices.choices[0])


_FIELDS = InstanceSettings.model_fields
