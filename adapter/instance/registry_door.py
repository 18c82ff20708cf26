"""The registry that the settings name: an etcd, or the embedded one, served by this very process."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from adapter.aio.clock import Clock
from adapter.instance.settings import InstanceSettings
from adapter.registry.embedded_server import embedded_serving
from adapter.registry.etcd import EtcdRegistry
from adapter.registry.etcd_options import EtcdOptions

log = logging.getLogger(__name__)

CHECK_S_MAX = 20.0
"""How long an etcd may take to answer at start (reference: ModelMesh core 3.1)."""


@asynccontextmanager
async def the_registry(settings: InstanceSettings, clock: Clock) -> AsyncIterator[EtcdRegistry]:
    """Connected, and known to answer. Raises `RegistryUnavailable`."""
    async with AsyncExitStack() as stack:
        options = settings.etcd
        if options is None:
            folder = stack.enter_context(TemporaryDirectory(prefix="remesh-"))
            address = f"unix:{Path(folder) / 'registry.sock'}"
            await stack.enter_async_context(embedded_serving(settings.registry_path, address, clock=clock))
            options = EtcdOptions(endpoints=(address,))
        registry = await stack.enter_async_context(EtcdRegistry.connect(options, clock))
        await registry.check(CHECK_S_MAX)
        yield registry
