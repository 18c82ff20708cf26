"""What a runtime's containers declare."""

from adapter.domain.kinds import Manifest
from adapter.domain.specs import RuntimeSpec


def container_named(runtime: RuntimeSpec, name: str) -> Manifest:
    """The container of that name; empty if there is none."""
    return next((each for each in runtime.containers if each.get("name") == name), {})


def resource(container: Manifest, kind: str, name: str) -> object | None:
    """What a container says of a resource, `requests` or `limits`; None: nothing."""
    return (((container.get("resources") or {}).get(kind)) or {}).get(name)


def memory_request(container: Manifest) -> object | None:
    """The memory that it asks for; who says only a limit asks for that."""
    asked = resource(container, "requests", "memory")
    return resource(container, "limits", "memory") if asked is None else asked
