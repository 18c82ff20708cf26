"""`docs/metrics.md`, whose tables say what there is in `adapter/telemetry`."""

import re

from tests.tidy.tree import ROOT

_PAGE = (ROOT / "docs" / "metrics.md").read_text()
_ROW = re.compile(r"^\| `(?P<name>\w+)` \| \w+ \| [^|]* \| [^|]* \|$", re.MULTILINE)
_OF_CONTROLLER = "remesh_controller_"


def told(*, of_controller: bool) -> list[str]:
    """The rows about an instance, or those about the controller."""
    return [
        row.group() for row in _ROW.finditer(_PAGE) if row["name"].startswith(_OF_CONTROLLER) is of_controller
    ]
