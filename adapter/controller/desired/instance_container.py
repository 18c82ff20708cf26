"""The one container of ours in each pod: `remesh instance` (reference: serving controller 3.4, 3.8, 3.9)."""

from adapter.controller.desired import security
from adapter.controller.desired.declared import container_named, memory_request
from adapter.controller.desired.env import Env
from adapter.controller.desired.images import version_of
from adapter.controller.desired.names import (
    ADAPTER_PORT,
    CLAIMS_FOLDER,
    CONSTRAINTS_FOLDER,
    CONSTRAINTS_VOLUME,
    DATAPLANE,
    ETCD_CONNECTION,
    ETCD_FOLDER,
    ETCD_VOLUME,
    GRACE_S,
    GRPC,
    INSTANCE,
    METRICS,
    MODELS_FOLDER,
    PEER_PORT,
    PRESTOP_PORT,
    PROBE_PORT,
    REST,
    STORAGE_FOLDER,
    TLS_FOLDER,
    TLS_VOLUME,
    TMP_VOLUME,
    TYPE_CONSTRAINTS,
)
from adapter.controller.desired.sockets import endpoint_env, socket_mounts
from adapter.controller.desired.volumes import claim_mounts, models_mount, storage_mount, tmp_mounts
from adapter.controller.desired.ways import Way, way_of
from adapter.controller.manifests.annotations import LOADING_CONCURRENCY, MODEL_CONCURRENCY
from adapter.controller.plans import RuntimePlan
from adapter.domain.kinds import Manifest
from adapter.domain.specs import BuiltInAdapter, Endpoint

COMMAND = ("remesh", "instance")


def instance_container(plan: RuntimePlan) -> Manifest:
    """The container `mm`."""
    config = plan.config
    return {
        "name": INSTANCE,
        "image": str(config.image),
        "command": list(config.image.command or COMMAND),
        "env": _env(plan),
        "ports": _ports(plan),
        "resources": config.resources,
        "securityContext": security.of_ours(),
        "volumeMounts": _mounts(plan),
        "readinessProbe": _probe("/ready", initialDelaySeconds=5, periodSeconds=5, timeoutSeconds=1),
        "livenessProbe": _probe(
            "/live", initialDelaySeconds=90, periodSeconds=30, timeoutSeconds=5, failureThreshold=2
        ),
        "lifecycle": security.pre_stop(),
        # Why it ended stands in the pod's status, where everybody may read it.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _probe(path: str, **times: int) -> Manifest:
    return {"httpGet": {"path": path, "port": PROBE_PORT, "scheme": "HTTP"}, **times}


def _ports(plan: RuntimePlan) -> list[Manifest]:
    config = plan.config
    ports = [(GRPC, config.service_port)]
    if config.rest.enabled:
        ports.append((REST, config.rest.port))
    if config.metrics.enabled:
        ports.append((METRICS, config.metrics.port))
    return [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports]


def _mounts(plan: RuntimePlan) -> list[Manifest]:
    runtime, config = plan.runtime, plan.config
    # What lies in another mount comes after it.
    mounts = [*tmp_mounts(runtime, TMP_VOLUME), *socket_mounts(runtime)]
    if way_of(runtime).pulls:
        mounts += [models_mount(), storage_mount(), *claim_mounts(plan)]
    mounts.append({"name": CONSTRAINTS_VOLUME, "mountPath": CONSTRAINTS_FOLDER, "readOnly": True})
    mounts.append({"name": ETCD_VOLUME, "mountPath": ETCD_FOLDER, "readOnly": True})
    if config.tls.secret_name:
        mounts.append({"name": TLS_VOLUME, "mountPath": TLS_FOLDER, "readOnly": True})
    return mounts


def _env(plan: RuntimePlan) -> list[Manifest]:
    env, config = Env(), plan.config
    env.put({"MM_SERVICE_NAME": config.service_name, "MM_SVC_GRPC_PORT": config.service_port})
    env.put_field("WKUBE_POD_NAME", "metadata.name")
    env.put_field("WKUBE_POD_IPADDR", "status.podIP")
    env.put_field("MM_LOCATION", "status.hostIP")
    metrics = config.metrics
    env.put(
        {
            "KV_STORE": f"etcd:{ETCD_FOLDER}/{ETCD_CONNECTION}",
            "MM_METRICS": f"prometheus:port={metrics.port};scheme={metrics.scheme}"
            if metrics.enabled
            else "disabled",
            "SHUTDOWN_TIMEOUT_MS": GRACE_S * 1000,
        }
    )
    env.put(config.instance_env)
    env.put(_endpoints(plan))
    env.put(_of_the_mesh(plan))
    env.put(_tls(plan))
    env.put(
        {
            "REST_PROXY_LISTEN_PORT": config.rest.port if config.rest.enabled else "",
            # Named, so that a port that is taken is a failure to start, and not another port.
            "MM_PROBE_PORT": PROBE_PORT,
            "MM_PRESTOP_WAIT_PORT": PRESTOP_PORT,
            "REMESH_PEER_PORT": PEER_PORT,
        }
    )
    _put_runtime(env, plan)
    return env.entries


def _endpoints(plan: RuntimePlan) -> dict[str, object]:
    """Where the runtime answers inference, and where it is told to load."""
    runtime = plan.runtime
    if way_of(runtime) is Way.NONE:
        return {}
    data, management = runtime.grpc_data_endpoint, runtime.grpc_endpoint or Endpoint(port=ADAPTER_PORT)
    if data is None and runtime.adapter is not None and runtime.adapter.management_port is not None:
        data = Endpoint(port=runtime.adapter.management_port)  # an adapter answers no inference itself
    found: dict[str, object] = {}
    if data is not None:
        found |= endpoint_env(
            data, port="INTERNAL_SERVING_GRPC_PORT", socket="INTERNAL_SERVING_GRPC_SOCKET_PATH"
        )
    if way_of(runtime) is not Way.DRIVEN:
        found |= endpoint_env(management, port="INTERNAL_GRPC_PORT", socket="INTERNAL_GRPC_SOCKET_PATH")
    return found


def _of_the_mesh(plan: RuntimePlan) -> dict[str, object]:
    config, found = plan.config, dict[str, object]()
    if config.access_logging:
        found["MM_LOG_EACH_INVOKE"] = "true"
    if config.message_bytes_max > 0:
        found["MM_SVC_GRPC_MAX_MSG_SIZE"] = config.message_bytes_max
    if hold_s := config.scale_to_zero.hold_s:
        found["REMESH_HOLD_S"] = config.instance_env.get("REMESH_HOLD_S", f"{hold_s:g}")
    found |= {"MM_KVSTORE_PREFIX": "mm", "MM_DEFAULT_VMODEL_OWNER": "ksp"}
    if config.payload_processors:
        found["MM_PAYLOAD_PROCESSORS"] = " ".join(config.payload_processors)
    return found | {
        "MM_LABELS": ",".join(plan.labels),
        "MM_TYPE_CONSTRAINTS_PATH": f"{CONSTRAINTS_FOLDER}/{TYPE_CONSTRAINTS}",
        "MM_DATAPLANE_CONFIG_PATH": f"{CONSTRAINTS_FOLDER}/{DATAPLANE}",
    }


def _tls(plan: RuntimePlan) -> dict[str, object]:
    tls = plan.config.tls
    if not tls.secret_name:
        return {}
    certificate = f"{TLS_FOLDER}/tls.crt"
    found: dict[str, object] = {
        "MM_TLS_KEY_CERT_PATH": certificate,
        "MM_TLS_PRIVATE_KEY_PATH": f"{TLS_FOLDER}/tls.key",
    }
    if tls.client_auth:
        found["MM_TLS_CLIENT_AUTH"] = tls.client_auth
        found["MM_TLS_TRUST_CERT_PATH"] = ",".join(
            [certificate, *([f"{TLS_FOLDER}/ca.crt"] if plan.has_ca else [])]
        )
    return found


def _put_runtime(env: Env, plan: RuntimePlan) -> None:
    """Who drives the runtime, and with what the models are pulled."""
    runtime, way = plan.runtime, way_of(plan.runtime)
    kind = "none" if way is Way.NONE else "model-runtime"
    env.put(
        {"REMESH_RUNTIME": runtime.adapter.server_type if way is Way.DRIVEN and runtime.adapter else kind}
    )
    if way.pulls:
        env.put(
            {
                "ROOT_MODEL_DIR": MODELS_FOLDER,
                "STORAGE_CONFIG_DIR": STORAGE_FOLDER,
                "PVC_MOUNTS_DIR": CLAIMS_FOLDER,
            }
        )
    if way is Way.DRIVEN and runtime.adapter is not None:
        put_server(env, plan, runtime.adapter)


def put_server(env: Env, plan: RuntimePlan, adapter: BuiltInAdapter) -> None:
    """What whoever drives a model server must know of it (reference: serving controller 3.6)."""
    server = container_named(plan.runtime, adapter.server_type)
    if adapter.management_port is not None:
        env.put({"RUNTIME_PORT": adapter.management_port})
    if memory_request(server) is not None:
        env.put_resource("CONTAINER_MEM_REQ_BYTES", container=adapter.server_type, resource="requests.memory")
    annotations = plan.runtime.identity.annotations
    told = {
        "MEM_BUFFER_BYTES": adapter.buffer_bytes,
        "LOADTIME_TIMEOUT": adapter.loading_timeout_ms,
        "RUNTIME_VERSION": version_of(str(server.get("image", ""))),
        "LOADING_CONCURRENCY": annotations.get(LOADING_CONCURRENCY),
        "LIMIT_PER_MODEL_CONCURRENCY": annotations.get(MODEL_CONCURRENCY),
    }
    env.put({name: value for name, value in told.items() if value is not None})
    env.put_entries(adapter.env)
