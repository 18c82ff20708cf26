"""What the program is told: flags, and for each flag environment variables.

MLServer's variables are understood too, so that the environment of a ServingRuntime that was written for
MLServer starts this server as it is (reference: runtime adapter 5.1).
"""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class BadOptions(Exception):
    """Every complaint at once, one a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """See the flags."""

    models_dir: str
    host: str
    grpc_port: int | None
    grpc_socket: str
    rest_port: int | None
    requests_max: int
    model_concurrency: int
    message_bytes_max: int
    threads_per_request: int
    log_level: str


def _text(text: str) -> str:
    return text


def _port(text: str) -> int | None:
    if text == "off":
        return None
    if text.isdecimal() and int(text) <= 65535:  # noqa: PLR2004  of a port
        return int(text)
    raise ValueError("a port, 0 for any that is free, or off")


def _positive(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise ValueError("a whole number from 1 up")


def _level(text: str) -> str:
    if text.upper() in ("DEBUG", "INFO", "WARNING", "ERROR"):
        return text.upper()
    raise ValueError("debug, info, warning or error")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flag:
    name: str
    default: str
    read: Callable[[str], Any]
    help: str
    aliases: tuple[str, ...] = ()

    @property
    def field(self) -> str:
        return self.name.replace("-", "_")

    @property
    def variables(self) -> tuple[str, ...]:
        return (f"PYTHON_RUNTIME_{self.field.upper()}", *self.aliases)


_FLAGS = (
    _Flag(
        name="models-dir",
        default=".",
        read=_text,
        aliases=("MLSERVER_MODELS_DIR",),
        help="the folder that has a folder for each model",
    ),
    _Flag(
        name="host",
        default="127.0.0.1",
        read=_text,
        aliases=("MLSERVER_HOST",),
        help="the address to listen on",
    ),
    _Flag(
        name="grpc-port",
        default="8001",
        read=_port,
        aliases=("MLSERVER_GRPC_PORT",),
        help="the port for gRPC; 0: any that is free; off: none",
    ),
    _Flag(
        name="grpc-socket",
        default="",
        read=_text,
        help="the path of a unix socket to listen on for gRPC too",
    ),
    _Flag(
        name="rest-port",
        default="8002",
        read=_port,
        aliases=("MLSERVER_HTTP_PORT",),
        help="the port for REST; 0: any that is free; off: none",
    ),
    _Flag(
        name="requests-max",
        default="256",
        read=_positive,
        help="requests to models at once, running and waiting; each has a thread. Beyond: RESOURCE_EXHAUSTED",
    ),
    _Flag(
        name="model-concurrency",
        default=str(max(2, os.cpu_count() or 2)),
        read=_positive,
        help="requests to one model that run at once; further ones wait, and requests to other models do not",
    ),
    _Flag(
        name="message-bytes-max",
        default=str(64 * 1024**2),
        read=_positive,
        help="the largest request or answer",
    ),
    _Flag(
        name="threads-per-request",
        default="1",
        read=_positive,
        help="threads that a numeric library may use for one request, where its own variable does not say it",
    ),
    _Flag(name="log-level", default="info", read=_level, help="debug, info, warning or error"),
)


def read_options(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """A flag goes before its variables, and those before the default. Raises `BadOptions`."""
    given = vars(_parser().parse_args(arguments))
    values: dict[str, Any] = {}
    complaints = []
    for flag in _FLAGS:
        source, text = _told(flag, given[flag.field], environment)
        try:
            values[flag.field] = flag.read(text)
        except ValueError as error:
            complaints.append(f"{source} takes {error}, not {text!r}")
    if values.get("grpc_port", 0) is None and not values.get("grpc_socket"):
        complaints.append("--grpc-port is off, and --grpc-socket names no socket: nobody could load a model")
    if complaints:
        raise BadOptions("\n".join(complaints))
    return Options(**values)


def _told(flag: _Flag, given: str | None, environment: Mapping[str, str]) -> tuple[str, str]:
    if given is not None:
        return f"--{flag.name}", given
    for variable in flag.variables:
        if environment.get(variable):
            return variable, environment[variable]
    return f"--{flag.name}", flag.default


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runtimes.python_runtime",
        description="A server of many small models (scikit-learn, XGBoost, LightGBM, ONNX, Python functions) "
        "over the Open Inference Protocol. It starts empty: models come and go by the repository calls, each "
        "from the folder of its name.",
        epilog="Try: POST /v2/repository/models/NAME/load, then GET /v2/models/NAME.",
    )
    for flag in _FLAGS:
        variables = ", ".join(flag.variables)
        parser.add_argument(
            f"--{flag.name}",
            metavar="VALUE",
            help=f"{flag.help} (default: {flag.default or 'none'}; from the environment: {variables})",
        )
    return parser
