"""Which program of this machine an image is: `--images FILE`, read again for each container.

```json
{"remesh:dev": {"command": ["remesh"], "arguments": ["instance"], "env": {"PATH": "/venv/bin:/usr/bin:/bin"},
                "programs": {"/opt/app/triton-adapter": ["python", "-m", "tests.fakes.triton"]}}}
```
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What stands in for the content of an image; words as in an image's own configuration."""

    command: tuple[str, ...] = ()
    """Its entry point."""
    arguments: tuple[str, ...] = ()
    """For the entry point, unless the pod has arguments or a command of its own."""
    env: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    """In which it works."""
    user: int = 0
    programs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The programs that it has, by the path that a pod's command names, as commands of this machine."""

    def argv(self, command: tuple[str, ...], arguments: tuple[str, ...]) -> list[str]:
        """What is run where a pod has these (empty: none)."""
        entry = command or self.command
        rest = arguments or (() if command else self.arguments)
        words = [*entry, *rest]
        return [*self.programs.get(words[0], words[:1]), *words[1:]] if words else []


def read_images(path: Path) -> dict[str, Image]:
    """Raises `ValueError` or `TypeError` for what is none."""
    return {
        name: Image(
            command=tuple(told.get("command", ())),
            arguments=tuple(told.get("arguments", ())),
            env={"PATH": PATH, **told.get("env", {})},
            folder=told.get("folder", "/"),
            user=told.get("user", 0),
            programs={program: tuple(words) for program, words in told.get("programs", {}).items()},
        )
        for name, told in json.loads(path.read_text()).items()
    }


def find_image(images: Mapping[str, Image], reference: str) -> Image | None:
    """By the whole reference, or by its name alone, whatever the tag or digest."""
    return images.get(reference) or images.get(name_of(reference))


def name_of(reference: str) -> str:
    """Without tag and digest; a registry's port is none."""
    name = reference.partition("@")[0]
    place, slash, last = name.rpartition("/")
    return place + slash + last.partition(":")[0]
