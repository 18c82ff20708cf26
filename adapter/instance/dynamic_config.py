"""What an operator writes into the registry for all instances at once (reference: ModelMesh core 3.8).

    config/logger_level            debug, info, warning or error; anything else is info
    config/log_each_invocation     true or false
    config/scaleup_rpm_threshold   at least 10
    config/disable                 anything but false: no instance starts

`send_destination_id` has no meaning here. What is deleted goes back to the setting.
"""

import logging
from dataclasses import replace
from typing import Final

from adapter.domain.errors import Refused
from adapter.instance.observers import Observers
from adapter.mesh.demand import Demand
from adapter.registry.registry import Changes, Registry, Reset

log = logging.getLogger(__name__)

CONFIG: Final = "config/"
RPM_MIN: Final = 10
RPM_DIGITS_MAX: Final = 15
"""More of them are no number that could have been meant."""
_LEVELS: Final = ("debug", "info", "warning", "error")


class DynamicConfig:
    """Follows the keys and has them take effect."""

    def __init__(
        self, *, registry: Registry, prefix: str, demand: Demand, observers: Observers, log_level: str
    ) -> None:
        self._registry = registry
        self._prefix = prefix + CONFIG
        self._demand = demand
        self._observers = observers
        self._set = {
            "logger_level": log_level,
            "log_each_invocation": str(observers.log_each).lower(),
            "scaleup_rpm_threshold": str(round(demand.rules.rpm_max)),
        }

    async def check_enabled(self) -> None:
        """Raises `Refused` if no instance is to start."""
        entry = await self._registry.get(f"{self._prefix}disable")
        if entry is not None and entry.value.strip() != b"false":
            raise Refused(f"this mesh is disabled by {self._prefix}disable in the registry; delete that key")

    async def follow(self) -> None:
        """Have what is written take effect, until cancelled."""
        async for news in self._registry.follow(self._prefix):
            if isinstance(news, Reset):
                told = {entry.key: entry.value for entry in news.entries or ()}
                for name in self._set:
                    self._use(name, told.get(self._prefix + name))
            else:
                assert isinstance(news, Changes)
                for change in news.changes:
                    value = None if change.entry is None else change.entry.value
                    self._use(change.key.removeprefix(self._prefix), value)

    def _use(self, name: str, value: bytes | None) -> None:
        if name not in self._set:
            return
        text = self._set[name] if value is None else value.decode(errors="replace").strip()
        if value is not None:
            log.info("the registry's configuration is used", extra={"parameter": name, "value": text})
        match name:
            case "logger_level":
                level = text.lower() if text.lower() in _LEVELS else "info"
                logging.getLogger().setLevel(level.upper())
            case "log_each_invocation":
                self._observers.log_each = text.lower() == "true"
            case _:
                usable = text.isdecimal() and len(text) <= RPM_DIGITS_MAX
                rpm = max(int(text), RPM_MIN) if usable else int(self._set[name])
                self._demand.rules = replace(self._demand.rules, rpm_max=float(rpm))
