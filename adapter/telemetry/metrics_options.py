"""`MM_METRICS` and `MM_INFO_METRICS`: what is told of the metrics, and where (reference: ModelMesh core 6.1).

    disabled
    prometheus[:port=2112;scheme=https;fq_names=false;per_model_metrics=false;mem_detail=all]

`mem_detail` is about a JVM; it is understood, and changes nothing. Metrics are not sent by StatsD: it is
refused by name, since whoever asks for it counts on it. So an unset `MM_METRICS`, which is StatsD in
ModelMesh, is Prometheus in plain HTTP for this machine alone: nothing new is open to the network.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

DEFAULT_PORT = 2112
INFO_ENTRIES_MAX = 5
"""Of MM_INFO_METRICS, the name counted, as in ModelMesh."""

_BOOLEANS = {"true": True, "false": False}
_INTEGER = re.compile(r"\d{1,5}", re.ASCII)
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_KNOWN = ("port", "scheme", "fq_names", "per_model_metrics", "mem_detail")


class BadMetricsOptions(ValueError):
    """A setting of the metrics cannot be used; the text begins with its variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsOptions:
    """What `MM_METRICS` says."""

    is_served: bool = True
    complaint: str = ""
    """Why they are not served although somebody asked for it: to be logged as a warning."""
    local_only: bool = False
    """Listen on the loopback alone."""
    port: int = DEFAULT_PORT
    scheme: Literal["http", "https"] = "https"
    """https has a self-signed certificate."""
    fq_names: bool = False
    per_model: bool = False

    @classmethod
    def parse(cls, text: str) -> "MetricsOptions":
        """Read `MM_METRICS`; empty is as if unset. Raises `BadMetricsOptions` for what has no meaning.

        An unknown parameter is no reason not to start, as ModelMesh has it: metrics are not served, and
        `complaint` says so.
        """
        kind, colon, rest = text.strip().partition(":")
        match kind:
            case "":
                return cls(scheme="http", local_only=True)
            case "disabled" if not colon:
                return cls(is_served=False)
            case "prometheus":
                return cls._prometheus(dict(_parameters(rest)) if colon else {})
            case "statsd":
                raise BadMetricsOptions(
                    "MM_METRICS: StatsD is not offered; say prometheus, and let an agent that reads it "
                    "pass the metrics on, or say disabled"
                )
        raise BadMetricsOptions("MM_METRICS: must be disabled or prometheus[:name=value;...]")

    @classmethod
    def _prometheus(cls, given: Mapping[str, str]) -> "MetricsOptions":
        unknown = [name for name in given if name not in _KNOWN]
        if unknown:
            complaint = f"MM_METRICS: {unknown[0]} is unknown (known are {', '.join(_KNOWN)})"
            return cls(is_served=False, complaint=complaint)
        return cls(
            port=_port(given.get("port", str(DEFAULT_PORT))),
            scheme=_scheme(given.get("scheme", "https")),
            fq_names=_boolean("fq_names", given),
            per_model=_boolean("per_model_metrics", given),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoMetric:
    """What `MM_INFO_METRICS` says: a gauge that is always 1, whose labels say what this instance is."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str, variables: Mapping[str, str]) -> "InfoMetric | None":
        """Read `name;label=VARIABLE,label=VARIABLE`; None if it is empty. Raises `BadMetricsOptions`."""
        name, _, rest = text.strip().partition(";")
        if not name and not rest:
            return None
        if not _NAME.fullmatch(name):
            raise BadMetricsOptions("MM_INFO_METRICS: must be name;label=VARIABLE,label=VARIABLE")
        labels = dict(_info_labels(rest.split(",") if rest else [], variables))
        if 1 + len(labels) > INFO_ENTRIES_MAX:
            raise BadMetricsOptions(f"MM_INFO_METRICS: at most {INFO_ENTRIES_MAX - 1} labels")
        return cls(name=name, labels=tuple(labels.items()))


def _parameters(text: str) -> Iterator[tuple[str, str]]:
    seen = set()
    for parameter in text.split(";"):
        name, equals, value = parameter.partition("=")
        if not name or not equals or not value:
            raise BadMetricsOptions("MM_METRICS: what follows the colon must be name=value;name=value")
        if name in seen:
            raise BadMetricsOptions(f"MM_METRICS: {name} is there twice")
        seen.add(name)
        yield name, value


def _port(text: str) -> int:
    port = int(text) if _INTEGER.fullmatch(text) else -1
    if not 0 <= port <= 65_535:  # noqa: PLR2004 - TCP's
        raise BadMetricsOptions("MM_METRICS: port must be a port's number")
    return port


def _scheme(text: str) -> Literal["http", "https"]:
    match text:
        case "http" | "https":
            return text
    raise BadMetricsOptions("MM_METRICS: scheme must be http or https")


def _boolean(name: str, given: Mapping[str, str]) -> bool:
    try:
        return _BOOLEANS[given.get(name, "false").lower()]
    except KeyError as error:
        raise BadMetricsOptions(f"MM_METRICS: {name} must be true or false") from error


def _info_labels(entries: list[str], variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for entry in entries:
        label, _, variable = entry.partition("=")
        if not _LABEL.fullmatch(label) or not variable:
            raise BadMetricsOptions("MM_INFO_METRICS: each label must be label=VARIABLE")
        if variable not in variables:
            raise BadMetricsOptions(f"MM_INFO_METRICS: the variable {variable} of label {label} is not set")
        yield label, variables[variable]
