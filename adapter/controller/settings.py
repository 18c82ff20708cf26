"""What the controller can be told, read once from the environment and the flags.

Names are ModelMesh's (reference: serving controller 0.2, 0.3); the others begin with `REMESH_`. What may
change while it runs is in the ConfigMap `model-serving-config` instead.
"""

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from adapter.domain.named import named

NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
DEFAULT_NAMESPACE: Final = "model-serving"
PORT_MAX: Final = 65_535
SECONDS_MAX: Final = 86_400.0
EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - as controllers listen

Watch = Literal["", "true", "false"]
"""`false`: off; `true`: must be readable; empty: on where it is."""


def _without_unit(written: object) -> object:
    """`15s`, as Go's flags have durations, is 15; other units are none of ours."""
    return written.removesuffix("s") if isinstance(written, str) else written


Seconds = Annotated[float, BeforeValidator(_without_unit), Field(gt=0, le=SECONDS_MAX)]


def listening_at(address: str) -> tuple[str, int] | None:
    """`HOST:PORT` or `:PORT`; None: nowhere, which `0` is. Raises `ValueError`."""
    host, _, port = address.rpartition(":")
    if not (port.isascii() and port.isdecimal()) or int(port) > PORT_MAX:
        raise ValueError("must be an address such as :8080 or 127.0.0.1:8080, or 0 for none")
    return (host.strip("[]") or EVERYWHERE, int(port)) if int(port) else None


def _address(written: str) -> str:
    listening_at(written)
    return written


Address = Annotated[str, AfterValidator(_address)]


class ControllerSettings(BaseSettings):
    """Everything that `remesh controller` can be told."""

    model_config = SettingsConfigDict(
        populate_by_name=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    namespace: str = named(
        "NAMESPACE", default="", about="of the controller; default: the pod's, else model-serving"
    )
    pod_name: str = named("POD_NAME", default="", about="of the controller's pod")
    namespace_scope: bool = named(
        "NAMESPACE_SCOPE", default=False, about="look after the own namespace and no other"
    )
    etcd_secret_name: str = named(
        "ETCD_SECRET_NAME", default="model-serving-etcd", about="the secret with etcd_connection"
    )
    isvc_watch: Watch = named(
        "ENABLE_ISVC_WATCH", default="", about="InferenceServices: true, false, or empty: where readable"
    )
    csr_watch: Watch = named("ENABLE_CSR_WATCH", default="", about="ClusterServingRuntimes, likewise")
    secret_watch: Watch = named("ENABLE_SECRET_WATCH", default="", about="storage secrets, likewise")
    dev_mode_logging: str | None = named(
        "DEV_MODE_LOGGING", default=None, about="if present: log for people, and more"
    )

    metrics_address: Address = named(
        "REMESH_METRICS_ADDR", default=":8080", about="where metrics are served; 0: nowhere"
    )
    probe_address: Address = named(
        "REMESH_HEALTH_PROBE_BIND_ADDRESS", default=":8081", about="where /healthz and /readyz are"
    )
    leader_election: bool = named(
        "REMESH_ENABLE_LEADER_ELECTION", default=False, about="of several controllers only one acts"
    )
    lease_s: Seconds = named(
        "REMESH_LEADER_ELECT_LEASE_DURATION_S", default=15.0, about="a leader that is silent so long is none"
    )
    renew_deadline_s: Seconds = named(
        "REMESH_LEADER_ELECT_RENEW_DEADLINE_S",
        default=10.0,
        about="a leader that cannot renew for so long gives up",
    )
    retry_s: Seconds = named(
        "REMESH_LEADER_ELECT_RETRY_PERIOD_S", default=2.0, about="how often it is renewed, or tried for"
    )

    config_defaults: Path = named(
        "REMESH_CONFIG_DEFAULTS",
        default=Path("/etc/model-serving/config/default/config-defaults.yaml"),
        about="a file with other defaults for model-serving-config",
    )
    kubeconfig: str = named("KUBECONFIG", default="", about="outside of a cluster: how to reach it")
    context: str = named(
        "REMESH_KUBE_CONTEXT", default="", about="the kubeconfig's context, if not the current"
    )
    webhook_port: int = named(
        "REMESH_WEBHOOK_PORT", default=9443, about="of the webhooks; 0: none are served", ge=0, le=PORT_MAX
    )
    webhook_host: str = named("REMESH_WEBHOOK_HOST", default=EVERYWHERE, about="address that they listen on")
    webhook_url: str = named(
        "REMESH_WEBHOOK_URL", default="", about="how the API server reaches them, if not by their Service"
    )
    resync_s: Seconds = named(
        "REMESH_RESYNC_S", default=600.0, about="every registration is checked again within so long"
    )
    workers: int = named("REMESH_WORKERS", default=16, about="objects that are looked at at once", ge=1)
    log_level: Literal["debug", "info", "warning", "error"] = named(
        "LOG_LEVEL", default="info", about="least severe line told; of DEV_MODE_LOGGING debug"
    )
    log_format: Literal["json", "text"] = named(
        "REMESH_LOG_FORMAT", default="json", about="form of a log line"
    )

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        if not self.retry_s < self.renew_deadline_s < self.lease_s:
            raise ValueError(
                "REMESH_LEADER_ELECT_...: retry period, renew deadline and lease duration must grow so"
            )
        return self

    @property
    def own_namespace(self) -> str:
        """Where the controller runs."""
        if self.namespace:
            return self.namespace
        try:
            return NAMESPACE_FILE.read_text().strip() or DEFAULT_NAMESPACE
        except OSError:
            return DEFAULT_NAMESPACE
