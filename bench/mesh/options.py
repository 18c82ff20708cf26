"""What the bench can be told."""

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MEASURES: Final = ("headline", "cold", "registered", "sklearn", "cache")
"""In the order in which they are taken."""
EMBEDDED: Final = "embedded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much of everything."""

    models: int
    runs: int
    seconds: float
    """That a run takes."""
    cold_models: int
    registered: int
    sklearn_models: int


WHOLE: Final = Amounts(
    models=20_000, runs=5, seconds=10, cold_models=200, registered=100_000, sklearn_models=20_000
)
QUICK: Final = Amounts(models=2000, runs=2, seconds=3, cold_models=50, registered=5000, sklearn_models=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One sitting."""

    amounts: Amounts
    quick: bool
    measures: tuple[str, ...]
    rate: float
    """Calls a second."""
    at_once: int
    """Registrations in flight."""
    embedded: bool
    """The registry is the instance's own, not etcd."""
    etcd_flags: tuple[str, ...]
    plain: bool
    """The instance is not compiled."""
    instance: tuple[str, ...] | None
    """The command that starts it, as it is."""
    save: Path | None


def read(description: str | None, words: Sequence[str] | None = None) -> Options:
    """From the command line."""
    parser = argparse.ArgumentParser(
        prog="bench.mesh", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _add_amounts(parser)
    _add_places(parser)
    asked = parser.parse_args(words)
    usual = QUICK if asked.quick else WHOLE
    return Options(
        amounts=Amounts(
            models=asked.models or usual.models,
            runs=asked.runs or usual.runs,
            seconds=asked.seconds or usual.seconds,
            cold_models=usual.cold_models,
            registered=asked.registered or usual.registered,
            sklearn_models=asked.sklearn_models or usual.sklearn_models,
        ),
        quick=asked.quick,
        measures=asked.only,
        rate=asked.rate,
        at_once=asked.at_once,
        embedded=asked.registry == EMBEDDED,
        etcd_flags=tuple(shlex.split(asked.etcd_flags)),
        plain=asked.plain,
        instance=tuple(shlex.split(asked.instance)) if asked.instance else None,
        save=asked.save,
    )


def _add_amounts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="a rougher result of fewer models, sooner")
    parser.add_argument(
        "--only", type=_measures, default=MEASURES, metavar="NAME,...", help=f"of {', '.join(MEASURES)}"
    )
    parser.add_argument("--models", type=int, help=f"of the headline; default: {WHOLE.models}")
    parser.add_argument("--runs", type=int, help=f"of the headline; default: {WHOLE.runs}")
    parser.add_argument("--seconds", type=float, help=f"of a run; default: {WHOLE.seconds:g}")
    parser.add_argument("--rate", type=float, default=1000, help="calls a second; default: 1000")
    parser.add_argument("--at-once", type=int, default=32, help="registrations in flight; default: 32")
    parser.add_argument("--registered", type=int, help=f"models not loaded; default: {WHOLE.registered}")
    parser.add_argument("--sklearn-models", type=int, help=f"real ones; default: {WHOLE.sklearn_models}")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the result there, as JSON")


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--registry", choices=("etcd", EMBEDDED), default="etcd", help="default: etcd")
    parser.add_argument(
        "--etcd-flags", default="", metavar="FLAGS", help="more of etcd's, such as --unsafe-no-fsync"
    )
    parser.add_argument("--plain", action="store_true", help="plain Python, although it could be compiled")
    parser.add_argument(
        "--instance", metavar="COMMAND", help="what starts it, as it is; its settings are in the environment"
    )


def _measures(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := [name for name in names if name not in MEASURES]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(MEASURES)}")
    return names
