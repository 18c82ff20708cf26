"""Events on objects, which `kubectl describe` shows: few, however often something happens.

What is recorded is written in the background. The same again (object, reason, text) makes the count of its
event higher, and that is written at most once a minute; one object gets a handful of events at once and then
one now and then; what waits and what is remembered is bounded. An event is no promise: when the cluster does
not take it, it is dropped.
"""

import asyncio
import datetime as dt
import logging
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from adapter.aio.clock import Clock
from adapter.cluster.cluster import Cluster, ClusterUnavailable
from adapter.domain.errors import AdapterError
from adapter.domain.kinds import EVENT, Key, Manifest

log = logging.getLogger(__name__)

NORMAL: Final = "Normal"
WARNING: Final = "Warning"

REPEAT_S: Final = 60.0
BURST: Final = 25
REFILL_S: Final = 300.0
"""After so long an object may have one event more; as client-go limits it."""
WAITING_MAX: Final = 1000
REMEMBERED_MAX: Final = 4000
TEXT_BYTES_MAX: Final = 1024
"""The API takes no longer ones."""
NAME_CHARACTERS_MAX: Final = 230
TRIES: Final = 3
TRY_AGAIN_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class _Occasion:
    """What makes two events the same."""

    object_: tuple[str, str, str, str]
    """uid, kind, namespace, name."""
    type: str
    reason: str
    text: str


@dataclass(slots=True, kw_only=True)
class _Series:
    """One event as it is written, and how often it happened."""

    reference: dict[str, str]
    first_ms: int
    last_ms: int
    count: int = 1
    name: str = ""
    """Of the event; empty: it is not written yet."""
    written_s: float = field(default=0.0)


@dataclass(slots=True, kw_only=True)
class _Allowance:
    """How many more events an object may have."""

    tokens: float
    at_s: float


class EventRecorder:
    """Records events of one component. They are written while `run` runs."""

    def __init__(self, cluster: Cluster, clock: Clock, *, component: str, instance: str = "") -> None:
        self._cluster = cluster
        self._clock = clock
        self._component = component
        self._instance = instance
        self._known: OrderedDict[_Occasion, _Series] = OrderedDict()
        self._allowances: OrderedDict[tuple[str, str, str, str], _Allowance] = OrderedDict()
        self._waiting: OrderedDict[_Occasion, _Series] = OrderedDict()
        self._news = asyncio.Event()
        self.dropped = 0
        """Events that nobody will see, since there were too many."""

    def record(self, about: Manifest, type_: str, reason: str, text: str) -> None:
        """One more event about this object; `type_` is `Normal` or `Warning`. Returns at once."""
        reference = _reference(about)
        object_ = tuple(reference.get(name, "") for name in ("uid", "kind", "namespace", "name"))
        assert len(object_) == 4  # noqa: PLR2004 - for the type checker
        occasion = _Occasion(object_, type_, reason, _shortened(text))
        now_s, now_ms = self._clock.now_s(), self._clock.epoch_ms()
        series = self._known.get(occasion)
        if series is not None:
            series.count += 1
            series.last_ms = now_ms
            self._known.move_to_end(occasion)
            if occasion in self._waiting or now_s - series.written_s < REPEAT_S:
                return
        if len(self._waiting) >= WAITING_MAX or not self._may(object_, now_s):
            self.dropped += 1
            return
        if series is None:
            series = _Series(reference=reference, first_ms=now_ms, last_ms=now_ms)
            self._known[occasion] = series
            if len(self._known) > REMEMBERED_MAX:
                self._known.popitem(last=False)
        self._waiting[occasion] = series
        self._news.set()

    async def run(self) -> None:
        """Write what is recorded, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                occasion, series = self._waiting.popitem(last=False)
                series.written_s = self._clock.now_s()
                await self._write(occasion, series)

    async def written(self) -> None:
        """Write what still waits, each once; for the end of a program."""
        while self._waiting:
            await self._try(*self._waiting.popitem(last=False))

    # Inside.

    def _may(self, object_: tuple[str, str, str, str], now_s: float) -> bool:
        allowance = self._allowances.setdefault(object_, _Allowance(tokens=BURST, at_s=now_s))
        self._allowances.move_to_end(object_)
        if len(self._allowances) > REMEMBERED_MAX:
            self._allowances.popitem(last=False)
        allowance.tokens = min(allowance.tokens + (now_s - allowance.at_s) / REFILL_S, BURST)
        allowance.at_s = now_s
        if allowance.tokens < 1:
            return False
        allowance.tokens -= 1
        return True

    async def _write(self, occasion: _Occasion, series: _Series) -> None:
        for _ in range(TRIES):
            if await self._try(occasion, series):
                return
            await self._clock.sleep(TRY_AGAIN_S)
        log.debug("event dropped", extra={"about": occasion.object_, "reason": occasion.reason})

    async def _try(self, occasion: _Occasion, series: _Series) -> bool:
        """Whether it need not be tried again."""
        namespace = series.reference.get("namespace") or "default"
        try:
            if series.name:
                key = Key(kind=EVENT, name=series.name, namespace=namespace)
                if await self._cluster.patch(key, _again(series)) is not None:
                    return True
            made = await self._cluster.create(self._event(occasion, series, namespace), EVENT)
            series.name = str(made["metadata"]["name"])
        except ClusterUnavailable:
            return False
        except AdapterError as error:
            log.debug("event refused", extra={"about": occasion.object_, "error": str(error)})
        return True

    def _event(self, occasion: _Occasion, series: _Series, namespace: str) -> Manifest:
        subject = series.reference["name"][:NAME_CHARACTERS_MAX].rstrip("-.")
        return {
            "metadata": {"name": f"{subject}.{secrets.token_hex(8)}", "namespace": namespace},
            "involvedObject": series.reference,
            "type": occasion.type,
            "reason": occasion.reason,
            "message": occasion.text,
            "source": {"component": self._component, "host": self._instance},
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
            "firstTimestamp": _timestamp(series.first_ms),
            **_again(series),
        }


def _again(series: _Series) -> dict[str, Any]:
    return {"count": series.count, "lastTimestamp": _timestamp(series.last_ms)}


def _reference(about: Manifest) -> dict[str, str]:
    metadata = about["metadata"]
    told = {
        "apiVersion": about.get("apiVersion"),
        "kind": about.get("kind"),
        "name": metadata["name"],
        "namespace": metadata.get("namespace"),
        "uid": metadata.get("uid"),
        "resourceVersion": metadata.get("resourceVersion"),
    }
    return {name: str(value) for name, value in told.items() if value}


def _shortened(text: str) -> str:
    encoded, end = text.encode(errors="replace"), " ..."
    if len(encoded) <= TEXT_BYTES_MAX:
        return encoded.decode()
    return encoded[: TEXT_BYTES_MAX - len(end)].decode(errors="ignore") + end


def _timestamp(epoch_ms: int) -> str:
    return dt.datetime.fromtimestamp(epoch_ms // 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
