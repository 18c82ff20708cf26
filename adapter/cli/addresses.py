"""Where the commands that ask a mesh find it."""

from typing import Annotated

import typer

Address = Annotated[
    str,
    typer.Option(
        "--address",
        envvar="REMESH_ADDRESS",
        help="The mesh's inference port: host:port, or unix:PATH.",
    ),
]

DEFAULT_ADDRESS = "127.0.0.1:8033"
