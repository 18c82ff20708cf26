"""The examples in a mesh that is up already: `remesh up` in one terminal, `remesh demo --into up` in another.

They are put below the folder that such a mesh pulls from without a storage key, so that it serves them for as
long as they lie there.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from adapter.demo.examples import Example
from adapter.demo.showing import a_console, commands_for, show_all, train
from adapter.domain.errors import Refused
from adapter.storage.threads import in_thread
from adapter.up.mesh_folder import MeshFolder

SUBFOLDER: Final = "remesh-demo"
STORAGE: Final = {"storage_params": {"type": "local"}}


async def show_in(mesh: str) -> None:
    """Train them, put them there, ask each. `mesh` is a name, or the data folder of the mesh.

    Raises `MeshIsDown`; `Refused` if its folder cannot be written; what `show_all` raises.
    """
    where = MeshFolder.said(mesh).whereabouts()
    console = a_console()
    trained = await train(console)
    placed = await in_thread(put, trained, where.files)
    console.print(f"The models lie in {where.files / SUBFOLDER}.")
    await show_all(console, where.grpc, placed, storage=STORAGE)
    console.print(f"They stay with the mesh on [bold]{where.grpc}[/]. Try:\n\n{commands_for(where.grpc)}")


def put(trained: Iterable[Example], files: Path) -> list[Example]:
    """The examples as they lie below `files` now; a file that a runtime may be reading is replaced."""
    placed = [replace(example, path=f"{SUBFOLDER}/{example.path}") for example in trained]
    try:
        for example in placed:
            path = files / example.path
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_name(f".{path.name}")
            aside.write_bytes(example.content)
            aside.replace(path)
    except OSError as error:
        raise Refused(f"{files} cannot take the models: {error.strerror}") from error
    return placed
