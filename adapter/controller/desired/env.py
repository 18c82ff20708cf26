"""The environment of a container: in order, each name once, the last word wins where the first was said."""

from collections.abc import Iterable, Mapping

from adapter.domain.kinds import Manifest


class Env:
    """Variables as a container lists them."""

    def __init__(self) -> None:
        self._entries: dict[str, Manifest] = {}

    def put(self, values: Mapping[str, object]) -> None:
        """Plain values."""
        for name, value in values.items():
            self._entries[name] = {"name": name, "value": str(value)}

    def put_field(self, name: str, path: str) -> None:
        """A field of the pod (downward API)."""
        self._entries[name] = {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}

    def put_resource(self, name: str, *, container: str, resource: str) -> None:
        """What a container of the pod has of a resource, in whole units."""
        source = {"containerName": container, "resource": resource}
        self._entries[name] = {"name": name, "valueFrom": {"resourceFieldRef": source}}

    def put_entries(self, entries: Iterable[Manifest]) -> None:
        """As people wrote them."""
        for entry in entries:
            self._entries[str(entry["name"])] = entry

    @property
    def entries(self) -> list[Manifest]:
        """As the container has them."""
        return list(self._entries.values())
