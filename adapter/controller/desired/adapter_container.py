"""ModelMesh's adapter of a server that the instance does not drive (reference: serving controller 3.6)."""

from adapter.controller.desired import security
from adapter.controller.desired.env import Env
from adapter.controller.desired.instance_container import put_server
from adapter.controller.desired.names import ADAPTER_PORT
from adapter.controller.desired.sockets import socket_mounts
from adapter.controller.desired.volumes import (
    ADAPTER_TMP_VOLUME,
    claim_mounts,
    models_mount,
    storage_mount,
    tmp_mounts,
)
from adapter.controller.plans import RuntimePlan
from adapter.domain.kinds import Manifest
from adapter.domain.specs import BuiltInAdapter, RuntimeSpec


def adapter_container(plan: RuntimePlan, adapter: BuiltInAdapter) -> Manifest:
    """The container `<server type>-adapter`: it pulls, and answers the runtime SPI to the instance."""
    name = f"{adapter.server_type}-adapter"
    return {
        "name": name,
        "image": str(plan.config.helper_image),
        "command": [f"/opt/app/{name}"],
        "env": _env(plan, adapter),
        "resources": plan.config.helper_resources,
        "securityContext": security.of_ours(),
        "volumeMounts": [
            *tmp_mounts(plan.runtime, ADAPTER_TMP_VOLUME),
            *socket_mounts(plan.runtime),
            models_mount(),
            *claim_mounts(plan),
            storage_mount(),
        ],
        "lifecycle": security.pre_stop(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _env(plan: RuntimePlan, adapter: BuiltInAdapter) -> list[Manifest]:
    env, runtime = Env(), plan.runtime
    port = ADAPTER_PORT if runtime.grpc_endpoint is None else runtime.grpc_endpoint.port
    env.put({"ADAPTER_PORT": port})
    if data := _data_endpoint(runtime, adapter):
        env.put({"RUNTIME_DATA_ENDPOINT": data})
    env.put({"USE_EMBEDDED_PULLER": "true"})
    put_server(env, plan, adapter)
    return env.entries


def _data_endpoint(runtime: RuntimeSpec, adapter: BuiltInAdapter) -> str:
    if runtime.grpc_data_endpoint is not None:
        return str(runtime.grpc_data_endpoint)
    return "" if adapter.management_port is None else f"port:{adapter.management_port}"
