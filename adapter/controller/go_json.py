"""JSON as Go's encoder writes it, to the byte, where stored registrations of ModelMesh are to be matched."""

import json
import re
from collections.abc import Mapping
from typing import Final

_ESCAPED: Final = re.compile("[<>&\u2028\u2029]")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def go_json(members: Mapping[str, object]) -> str:
    """Compact, members in the order given, without those that are None."""
    told = {name: value for name, value in members.items() if value is not None}
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    text = _LONE_SURROGATE.sub("\ufffd", text)  # as Go reads what is no character
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
