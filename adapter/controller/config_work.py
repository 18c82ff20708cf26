"""The configuration that people may change while we run; what cannot be read leaves it as it was."""

import logging
from typing import Final

from adapter.controller.config import ControllerConfig
from adapter.controller.doors import Doors
from adapter.controller.reading_config import next_config
from adapter.controller.world import World

log = logging.getLogger(__name__)

USER_CONFIG: Final = "model-serving-config"


class ConfigWork:
    """Looks at the ConfigMap `model-serving-config` of the controller's namespace."""

    def __init__(self, world: World, doors: Doors, *, defaults: ControllerConfig) -> None:
        self._world = world
        self._doors = doors
        self._defaults = defaults

    def look(self) -> bool:
        """Take the configuration that there is now; whether it is another one."""
        world = self._world
        seen = world.config_maps.get(world.scope.namespace, USER_CONFIG)
        manifest = None if seen is None else seen.manifest
        config, error = next_config(world.config, manifest, defaults=self._defaults)
        if error is not None and manifest is not None:
            log.warning("the configuration stays as it was", extra={"error": str(error)})
            self._doors.recorder.record(manifest, "Warning", "InvalidConfiguration", str(error))
        if config == world.config:
            return False
        log.info("the configuration has changed")
        world.configure(config)
        return True
