"""The commands of `remesh`, by their names; each is a module of this package."""

from importlib import import_module
from typing import Final

import typer

NAMES: Final = (
    *("apply", "controller", "delete", "demo", "describe", "explain", "get", "infer", "instance"),
    *("registry", "up"),
)

EPILOG: Final = (
    "Begin with `remesh demo`: a mesh on this machine, with example models and a first prediction."
)


def application(first: str) -> typer.Typer:
    """With the one command that is called; if that is none of them (`--help`, a typo), with all.

    All of them together take a second to be imported, which a pod or a `remesh get` need not wait for.
    """
    app = typer.Typer(
        name="remesh",
        help="Serve very many machine-learning models on few machines.",
        epilog=EPILOG,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )
    app.callback()(_nothing)
    for name in [first] if first in NAMES else NAMES:
        module = import_module(f"adapter.cli.{name}")
        epilog = module.epilog() if hasattr(module, "epilog") else None
        app.command(name, epilog=epilog)(module.command)
    return app


def _nothing() -> None:
    """With a callback, a single command keeps its name."""
