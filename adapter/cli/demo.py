"""`remesh demo`: a mesh on this machine, from nothing to a first prediction."""

import os
from typing import Annotated

import typer

from adapter.cli.running import fail, run


def command(
    *,
    exit_after: Annotated[
        bool, typer.Option("--exit", help="End after the predictions instead of staying up.")
    ] = False,
    store_only: Annotated[
        bool,
        typer.Option(
            "--store-only", help="Only put the example models into the store of REMESH_DEMO_S3_ENDPOINT."
        ),
    ] = False,
    port: Annotated[int, typer.Option(help="The mesh's port; if it is not free, another is taken.")] = 8033,
    instances: Annotated[int, typer.Option("--instances", "-n", help="How many instances serve them.")] = 1,
    into: Annotated[
        str | None,
        typer.Option(help="Start nothing: show the models in this `remesh up`, by its name or data folder."),
    ] = None,
) -> None:
    """Train four models, put them into an S3 store, serve them, and ask each for a prediction.

    With --into, a mesh that `remesh up` has started serves them, from a folder of its own, and goes on to.

    The store is MinIO if `make tools` could get it, else moto's from PyPI; or the one that
    REMESH_DEMO_S3_ENDPOINT, REMESH_DEMO_S3_BUCKET, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY name.
    Everything listens on loopback only, and ends with this command.
    """
    try:
        from adapter.demo import into as running
        from adapter.demo import tour
    except ModuleNotFoundError as error:
        fail(f"the demo needs {error.name}; install it with: pip install 'remesh[demo]'")
    if store_only:
        run(tour.fill_given_store(os.environ))
    elif into is not None:
        run(running.show_in(into))
    else:
        chosen = tour.Tour(environ=os.environ, port=port, instances=instances, stays=not exit_after)
        run(tour.take(chosen))
