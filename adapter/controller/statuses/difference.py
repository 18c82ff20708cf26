"""The least JSON merge patch (RFC 7386) that makes of one object what another patch would."""

from collections.abc import Mapping


def difference(there: object, patch: Mapping[str, object]) -> dict[str, object]:
    """Of `patch` what changes something; empty: nothing would."""
    held = there if isinstance(there, Mapping) else {}
    changed: dict[str, object] = {}
    for name, value in patch.items():
        if value is None:
            if name in held:
                changed[name] = None
        elif isinstance(value, Mapping):
            inner = difference(held.get(name), value)
            # An object that is not there is made only for something that is in it.
            if inner or (name in held and not isinstance(held[name], Mapping)):
                changed[name] = inner
        elif name not in held or held[name] != value:
            changed[name] = value
    return changed
