"""`remesh instance`: one adapter beside one runtime."""

import os
from typing import Annotated

import typer

from adapter.cli.running import fail, run
from adapter.cli.settings import BadSettings, read_settings, settings_help
from adapter.instance.instance import run_instance
from adapter.instance.settings import InstanceSettings
from adapter.telemetry import logs


def command(
    *,
    spi_only: Annotated[
        bool | None,
        typer.Option("--spi-only", help="Serve nothing but mmesh.ModelRuntime, for a foreign mesh."),
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(help="What is driven: python, mlserver, or model-runtime.")
    ] = None,
    service_name: Annotated[str | None, typer.Option(help="The name of the mesh.")] = None,
    port: Annotated[int | None, typer.Option(help="The inference and management port.")] = None,
    log_format: Annotated[str | None, typer.Option(help="json, or text for people.")] = None,
) -> None:
    """Serve the models of one runtime: pull them, load and unload them as a bounded cache, pass inference on.

    Settings are environment variables, with ModelMesh's names where it has one; an option wins over its
    variable. SIGTERM lets calls in flight finish, then ends it.
    """
    try:
        settings = read_settings(
            InstanceSettings,
            spi_only=spi_only,
            runtime=runtime,
            service_name=service_name,
            grpc_port=port,
            log_format=log_format,
        )
    except BadSettings as error:
        fail(f"these settings must be mended first:\n{error}")
    logs.configure(level=settings.log_level, form=settings.log_format)
    run(run_instance(settings, variables=os.environ), told_in=settings.termination_path)


def epilog() -> str:
    """The end of its help."""
    return settings_help(InstanceSettings)
