"""The commands of `remesh`, by their names."""

import typer

from adapter.cli import apply, controller, delete, demo, describe, explain, get, infer, instance, registry, up
from adapter.cli.settings import settings_help
from adapter.controller.settings import ControllerSettings
from adapter.instance.settings import InstanceSettings

app = typer.Typer(
    name="remesh",
    help="Serve very many machine-learning models on few machines.",
    epilog="Begin with `remesh demo`: a mesh on this machine, with example models and a first prediction.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
app.command("apply")(apply.command)
app.command("controller", epilog=settings_help(ControllerSettings))(controller.command)
app.command("delete")(delete.command)
app.command("demo")(demo.command)
app.command("describe")(describe.command)
app.command("explain")(explain.command)
app.command("get")(get.command)
app.command("infer")(infer.command)
app.command("instance", epilog=settings_help(InstanceSettings))(instance.command)
app.command("registry")(registry.command)
app.command("up")(up.command)
