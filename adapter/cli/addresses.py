"""Where the commands that ask a mesh find it."""

from typing import Annotated, Final

import typer

from adapter.up.mesh_folder import meshes_up

DEFAULT_ADDRESS: Final = ""
USUAL_ADDRESS: Final = "127.0.0.1:8033"

Address = Annotated[
    str,
    typer.Option(
        "--address",
        envvar="REMESH_ADDRESS",
        help="The mesh's inference port: host:port, or unix:PATH. Default: where the mesh answers that is up "
        f"on this machine, else {USUAL_ADDRESS}.",
        show_default=False,
    ),
]


def found(address: str) -> str:
    """The address that is meant: the one that was given, or that of the only mesh that is up here."""
    if address:
        return address
    meshes = [folder.whereabouts().grpc for folder in meshes_up()]
    return meshes[0] if len(meshes) == 1 else USUAL_ADDRESS
