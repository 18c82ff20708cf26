"""JSON as Go's encoder writes it, to the byte, where stored registrations of ModelMesh are to be matched."""

import json
import re
from collections.abc import Mapping
from typing import Final

_ESCAPED: Final = re.compile("[<>&\u2028\u2029]")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def go_json(members: Mapping[str, object]) -> str:
    """Compact, members in the order given, at every depth without those that are None."""
    text = json.dumps(_told(members), ensure_ascii=False, separators=(",", ":"))
    text = _LONE_SURROGATE.sub("\ufffd", text)  # as Go reads what is no character
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _told(members: Mapping[str, object]) -> dict[str, object]:
    return {
        name: _told(value) if isinstance(value, Mapping) else value
        for name, value in members.items()
        if value is not None
    }
