"""What the bench can be told."""

import argparse
import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.dataplane.cases import CASES
from bench.dataplane.proxies import INSTANCE, PLAIN, PROXIES

ROUNDS: Final = 5
ROUNDS_QUICK: Final = 2
SECONDS: Final = 2.0
SECONDS_QUICK: Final = 0.5
MEMORY: Final = "memory"
"""No kind of traffic, but asked for like one: how a new process grows over messages of 4 MiB."""
DEFAULT_PROXIES: Final = ("direct", "nginx", "aio", "ours", PLAIN)
PLAIN_CASES: Final = ("1k", "64k", "4m", "rest")
"""What plain Python is asked, unless cases are named: each of the others would take as long again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One sitting."""

    rounds: int
    seconds: float
    """That a run takes."""
    proxies: tuple[str, ...]
    cases: tuple[str, ...]
    cases_named: bool
    instance: tuple[str, ...]
    """The command that starts ours."""
    target: str | None
    """The address of a proxy that runs already, in the place of ours."""
    rest_target: str | None
    pid: int | None
    backend_port: int
    hold: bool
    save: Path | None

    def asks(self, proxy: str, case: str) -> bool:
        """Whether this case is put to that proxy."""
        return self.cases_named or proxy != PLAIN or case in PLAIN_CASES


def read(description: str | None) -> Options:
    """From the command line."""
    parser = argparse.ArgumentParser(
        prog="bench.dataplane", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _add_amounts(parser)
    _add_places(parser)
    asked = parser.parse_args()
    if asked.target and not asked.pid:
        parser.error("--target needs --pid: whose CPU is to be counted?")
    return Options(
        rounds=asked.rounds or (ROUNDS_QUICK if asked.quick else ROUNDS),
        seconds=asked.seconds or (SECONDS_QUICK if asked.quick else SECONDS),
        proxies=asked.only,
        cases=asked.case or (*CASES, MEMORY),
        cases_named=asked.case is not None,
        instance=tuple(shlex.split(asked.instance)) if asked.instance else INSTANCE,
        target=asked.target,
        rest_target=asked.rest_target,
        pid=asked.pid,
        backend_port=asked.backend_port,
        hold=asked.hold,
        save=asked.save,
    )


def _add_amounts(parser: argparse.ArgumentParser) -> None:
    cases = (*CASES, MEMORY)
    parser.add_argument("--quick", action="store_true", help="a rougher result, sooner")
    parser.add_argument("--rounds", type=int, help=f"default: {ROUNDS}, or {ROUNDS_QUICK} with --quick")
    parser.add_argument(
        "--seconds", type=float, help=f"of one run; default: {SECONDS}, or {SECONDS_QUICK} with --quick"
    )
    parser.add_argument(
        "--only",
        type=_some_of(PROXIES),
        default=DEFAULT_PROXIES,
        metavar="NAME,...",
        help=f"of {', '.join(PROXIES)}",
    )
    parser.add_argument("--case", type=_some_of(cases), metavar="NAME,...", help=f"of {', '.join(cases)}")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write all figures there, as JSON")


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--target", metavar="HOST:PORT", help="a proxy that runs already, as `ours`")
    parser.add_argument("--rest-target", metavar="HOST:PORT", help="where it answers REST")
    parser.add_argument("--pid", type=int, help="whose CPU is counted for it")
    parser.add_argument(
        "--backend-port", type=int, default=0, metavar="PORT", help="where that proxy has its upstream"
    )
    parser.add_argument(
        "--instance",
        metavar="COMMAND",
        help="what starts ours, to run it in a profiler; its settings are in the environment",
    )
    parser.add_argument("--hold", action="store_true", help="start all, measure nothing, wait for Ctrl-C")


def _some_of(known: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return names

    return parse
