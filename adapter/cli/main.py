"""The `remesh` command."""

import typer

from adapter.cli import demo, explain, infer, instance, models, registry, up
from adapter.cli.settings import settings_help
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
app.command("demo")(demo.command)
app.command("explain")(explain.command)
app.command("infer")(infer.command)
app.command("instance", epilog=settings_help(InstanceSettings))(instance.command)
app.command("registry")(registry.command)
app.command("up")(up.command)
app.add_typer(models.app, name="get")


def main() -> None:
    """Run the command line; the entry point of the package."""
    app()
