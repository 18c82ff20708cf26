"""Words that several shapes have in common: names, ports, maps of strings."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

LABEL_CHARS_MAX: Final = 63
SUBDOMAIN_CHARS_MAX: Final = 253
PORT_MAX: Final = 65_535

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def is_label(name: str) -> bool:
    """Whether it is a DNS label (RFC 1123), as namespaces, containers and volumes have."""
    return len(name) <= LABEL_CHARS_MAX and bool(_LABEL.fullmatch(name))


def is_subdomain(name: str) -> bool:
    """Whether it is a DNS subdomain (RFC 1123), as most objects have."""
    return len(name) <= SUBDOMAIN_CHARS_MAX and bool(_SUBDOMAIN.fullmatch(name))


def _label(name: str) -> str:
    if not is_label(name):
        raise ValueError(
            f"must be 1 to {LABEL_CHARS_MAX} lower-case letters, digits and dashes, "
            "with a letter or digit at each end"
        )
    return name


def _subdomain(name: str) -> str:
    if not is_subdomain(name):
        raise ValueError(
            f"must be 1 to {SUBDOMAIN_CHARS_MAX} lower-case letters, digits, dashes and dots, "
            "with a letter or digit at each end of each part"
        )
    return name


Label = Annotated[str, AfterValidator(_label)]
Subdomain = Annotated[str, AfterValidator(_subdomain)]
Text = Annotated[str, Field(min_length=1)]
Port = Annotated[int, Field(ge=1, le=PORT_MAX)]
Strings = dict[str, str]
JsonObject = dict[str, object]
"""One that is kept as it is."""
