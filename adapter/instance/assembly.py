"""From settings to the edges that an instance is made of."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc

from adapter.domain.ids import ModelId
from adapter.drivers.calls import open_channel
from adapter.drivers.mlserver import mlserver_driver
from adapter.drivers.model_runtime import ModelRuntimeDriver
from adapter.drivers.no_runtime import NoRuntime
from adapter.drivers.open_inference import OpenInferenceDriver, RuntimeLimits
from adapter.drivers.python_runtime import python_runtime_driver
from adapter.drivers.runtime import RuntimeDriver
from adapter.instance.provisioning import (
    Arrange,
    Layout,
    PassOn,
    Provisioner,
    PullAndArrange,
    PullOn,
)
from adapter.instance.settings import InstanceSettings
from adapter.instance.spi import Predict, predicts_nothing
from adapter.layout import mlserver, python_runtime
from adapter.storage.arrange import Arranger
from adapter.storage.destinations import model_folder_name
from adapter.storage.disk import ModelRoot
from adapter.storage.providers import the_providers
from adapter.storage.puller import Puller
from adapter.storage.s3 import S3Provider
from adapter.storage.secrets import SecretFolder
from adapter.storage.threads import in_thread

_BUILT_IN = {
    "python": (python_runtime_driver, python_runtime.plan),
    "mlserver": (mlserver_driver, mlserver.plan),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The runtime beside us, as the program deals with it."""

    channel: grpc.aio.Channel
    """Where it is told to load; whether it is connected says whether the runtime is there."""
    driver: RuntimeDriver
    predict: Predict
    built_in: bool

    def name_of(self, model: ModelId) -> str:
        """The name under which it knows a model: a built-in server goes by its folder."""
        return model_folder_name(model) if self.built_in else model


@asynccontextmanager
async def the_runtime(settings: InstanceSettings) -> AsyncIterator[Runtime]:
    """The driver that the settings ask for, and its channel, for as long as the block lasts."""
    async with open_channel(settings.management_address) as channel:
        if settings.runtime == "model-runtime":
            spi = ModelRuntimeDriver(channel)
            yield Runtime(channel=channel, driver=spi, predict=spi.predicted_size_bytes, built_in=False)
            return
        if settings.runtime == "none":
            nothing = NoRuntime(loading_timeout_s=settings.loading_timeout_ms / 1e3)
            yield Runtime(channel=channel, driver=nothing, predict=predicts_nothing, built_in=False)
            return
        make, _ = _BUILT_IN[settings.runtime]
        driver: OpenInferenceDriver = make(channel, limits=_limits(settings), name=model_folder_name)
        yield Runtime(channel=channel, driver=driver, predict=predicts_nothing, built_in=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Who provides models, and how everything of theirs is deleted."""

    provisioner: Provisioner
    purge: Callable[[], Awaitable[None]]
    """None is loaded any more, so none need be on the disk."""


@asynccontextmanager
async def the_files(settings: InstanceSettings) -> AsyncIterator[Files]:
    """Swept of what an earlier process left half done."""
    built_in = _BUILT_IN.get(settings.runtime)
    if settings.runtime == "none" or (built_in is None and not settings.storage_config_dir.is_dir()):
        yield Files(provisioner=PassOn(), purge=_nothing)
        return
    if built_in is not None and settings.spi_only and not settings.embedded_puller:
        yield await _arranging_only(settings, built_in[1])
        return
    root = ModelRoot(settings.model_root)
    await in_thread(root.prepare)
    s3 = S3Provider()
    try:
        await s3.warm_up()
        providers = the_providers(
            s3=s3, pvc_mounts=settings.pvc_mounts_dir, local_folder=settings.local_files_dir
        )
        puller = Puller(root=root, secrets=SecretFolder(settings.storage_config_dir), providers=providers)
        provisioner: Provisioner = PullOn(puller)
        if built_in is not None:
            arranger = Arranger(root, settings.runtime)
            await arranger.prepare()
            provisioner = PullAndArrange(puller=puller, arranger=arranger, layout=built_in[1])
        yield Files(provisioner=provisioner, purge=lambda: in_thread(root.purge))
    finally:
        s3.close()


async def _arranging_only(settings: InstanceSettings, layout: Layout) -> Files:
    """Another puller has the root; only the runtime's own area is ours."""
    # A name that begins with an underscore is left alone by ModelMesh's puller.
    root = ModelRoot(settings.model_root, staging=f"_{settings.runtime}_staging")
    await in_thread(root.sweep)
    arranger = Arranger(root, settings.runtime)
    await arranger.prepare()
    return Files(provisioner=Arrange(arranger=arranger, layout=layout), purge=arranger.clear)


async def _nothing() -> None:
    """Nothing of ours is on the disk."""


def _limits(settings: InstanceSettings) -> RuntimeLimits:
    return RuntimeLimits(
        capacity_bytes=settings.capacity_bytes,
        loading_concurrency=settings.loading_concurrency,
        loading_timeout_s=settings.loading_timeout_ms / 1e3,
        default_model_bytes=settings.default_model_bytes,
        model_concurrency_max=settings.model_concurrency_max,
        version=settings.runtime_version,
    )
