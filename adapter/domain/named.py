"""How a setting is declared: by the variables that it is read from."""

from typing import Any

from pydantic import AliasChoices, Field


def named(*names: str, default: object, about: str, **limits: float) -> Any:  # noqa: ANN401 - as Field itself
    """A field read from the first of these variables that is set."""
    return Field(default, validation_alias=AliasChoices(*names), description=about, **limits)  # type: ignore[call-overload]
