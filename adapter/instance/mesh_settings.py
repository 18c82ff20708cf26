"""The settings of an instance as one of a mesh: where its registry and its peers are, and how it behaves.

Names are ModelMesh's where it has one (reference: ModelMesh core 2.9, 3.1, 5).
"""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from adapter.domain.named import named
from adapter.instance.door_settings import DoorSettings, Port
from adapter.mesh.constraints import NO_CONSTRAINTS, BadTypeConstraints, TypeConstraints
from adapter.registry.etcd_options import BadEtcdOptions, EtcdOptions, read_etcd_options
from adapter.servers.peer_tls import PeersTls, peers_tls

ProbePort = Annotated[Port | None, BeforeValidator(lambda given: None if given in {"", "NONE"} else given)]


class MeshSettings(DoorSettings):
    """What an instance can be told of its mesh."""

    # The registry
    kv_store: SecretStr = named(
        "KV_STORE",
        default=SecretStr(""),
        about="etcd:FILE or etcd:HOST:PORT; empty: the embedded registry, below the data folder",
    )
    kv_prefix: Annotated[str, Field(pattern=r"^[^\s/]+$")] = named(
        "MM_KVSTORE_PREFIX", default="tas-runtime", about="prefix of the registry's keys"
    )
    kv_read_only: bool = named("KV_READ_ONLY", default=False, about="neither register nor unregister")
    zookeeper: str = named("ZOOKEEPER", default="", about="refused: the registry is etcd")
    data_dir: Path | None = named(
        "REMESH_DATA_DIR", default=None, about="what must survive a restart; default: the user's state folder"
    )
    lease_s: int = named(
        "REMESH_LEASE_S", default=10, about="how long a dead instance is still listed, in seconds", ge=2
    )

    # Who it is
    pod_name: str = named(
        "WKUBE_POD_NAME",
        default="",
        about="the instance's id is its last 12 characters; default: the host's name",
    )
    pod_address: str = named(
        "WKUBE_POD_IPADDR",
        "WATSON_SERVICE_ADDRESS",
        default="",
        about="address that the other instances reach; default: this host's",
    )
    location: str = named(
        "MM_LOCATION", "WKUBE_NODE_IP", default="", about="the machine: copies are spread over several"
    )
    zone: str = named("MM_ZONE", default="", about="the zone: copies are spread over several")
    labels: str = named("MM_LABELS", default="", about="comma-separated; type constraints ask for them")
    service_version: str = named(
        "SERVICE_VERSION", default="", about="of the deployment; newer ones are preferred for new copies"
    )

    # Where else it listens
    peer_port: Port = named(
        "REMESH_PEER_PORT", default=8080, about="the other instances; any free one if it is taken"
    )
    probe_port: ProbePort = named("MM_PROBE_PORT", default=8089, about="/ready and /live; NONE: not served")
    prestop_port: ProbePort = named(
        "MM_PRESTOP_WAIT_PORT", default=8090, about="/prestop for the runtime's container; NONE: not served"
    )
    enable_ssl: bool = named(
        "MM_ENABLE_SSL", default=True, about="false: plaintext between instances although the ports have TLS"
    )
    intracluster_client_auth: bool = named(
        "MM_INTRACLUSTER_CLIENTAUTH", default=True, about="false: instances show each other no certificates"
    )
    internal_trust_paths: str = named(
        "MM_INTERNAL_TRUST_CERTS",
        "MM_TRUST_CERTS",
        default="",
        about="comma-separated PEM files of who signs the instances' certificates",
    )

    # How it behaves
    type_constraints: str | None = named(
        "MM_TYPE_CONSTRAINTS",
        default=None,
        about="JSON: the labels that an instance needs for a type of models",
    )
    type_constraints_path: Path | None = named(
        "MM_TYPE_CONSTRAINTS_PATH", default=None, about="a file with the same, re-read when it changes"
    )
    scaleup_rpm: int = named(
        "MM_SCALEUP_RPM_THRESHOLD", default=2000, about="requests a minute that one copy is for", ge=1
    )
    concurrency_percent: int = named(
        "MM_CONC_SCALEUP_BANDWIDTH_PCT",
        default=90,
        about="share of a copy's LIMIT_PER_MODEL_CONCURRENCY from which on there are more copies",
        ge=10,
        le=200,
    )
    inflight_max: int = named(
        "MM_MAX_INFLIGHT_PER_MODEL_COPY",
        default=0,
        about="calls of a copy with a limit, waiting ones too; 0: 8 times the limit; below 0: any number",
    )
    default_owner: str = named("MM_DEFAULT_VMODEL_OWNER", default="", about="owner of new vmodels")
    hold_s: float = named(
        "REMESH_HOLD_S",
        default=0.0,
        about="how long a call is held for a runtime that is to be started, in seconds; 0: not at all",
        ge=0,
        allow_inf_nan=False,
    )
    failfast: bool = named(
        "MM_FAILFAST_UPGRADE_ENABLED",
        default=True,
        about="a new instance that cannot load what others can is not ready",
    )
    bootstrap_ms: int = named(
        "BOOTSTRAP_CLEARANCE_PERIOD_MS", default=180_000, about="how long an instance is new", ge=0
    )
    static_models: str = named(
        "MM_AUTO_REGISTER_MODELS",
        "MM_AUTO_REGISTER_MODEL",
        default="",
        about="JSON list of models to register",
    )
    static_models_path: Path | None = named(
        "MM_AUTO_REGISTER_MODELS_PATH",
        "MM_AUTO_REGISTER_MODEL_PATH",
        default=None,
        about="a file with more of them",
    )
    termination_path: Path = named(
        "LL_TERMINATION_MSG_PATH",
        default=Path("/dev/termination-log"),
        about="why a start failed is written here too, if the file is there",
    )
    log_level: Literal["debug", "info", "warning", "error"] = named(
        "LOG_LEVEL", default="info", about="least severe line told"
    )

    @property
    def instance_id(self) -> str:
        """The last 12 characters of the pod's name, as ModelMesh has it (reference: ModelMesh core 3.5)."""
        return (self.pod_name or os.uname().nodename)[-12:]

    @property
    def label_set(self) -> tuple[str, ...]:
        """Sorted, each once."""
        return tuple(sorted({label.strip() for label in self.labels.split(",") if label.strip()}))

    @property
    def has_peers(self) -> bool:
        """Whether the registry is one that other instances reach too."""
        return bool(self.kv_store.get_secret_value())

    @property
    def etcd(self) -> EtcdOptions | None:
        """How the registry is reached; None: it is embedded. Raises `BadEtcdOptions`."""
        told = self.kv_store.get_secret_value()
        return read_etcd_options(told) if told else None

    @property
    def peers_tls(self) -> PeersTls | None:
        """TLS between instances; None: plaintext. Raises `BadTls`."""
        return peers_tls(
            self.tls,
            enabled=self.enable_ssl,
            client_auth=self.intracluster_client_auth,
            trust_paths=self.internal_trust_paths,
        )

    @property
    def advertised_host(self) -> str:
        """Where the other instances find this one."""
        if self.pod_address:
            return self.pod_address
        if self.host not in {"0.0.0.0", "::", ""}:  # noqa: S104 - compared, not bound
            return self.host
        try:
            return socket.gethostbyname(socket.gethostname())
        except OSError:
            return "127.0.0.1"

    def mesh_complaints(self) -> Iterator[str]:
        """What is wrong with these settings, each with the variable's name."""
        if self.zookeeper:
            yield "ZOOKEEPER: the registry is etcd; set KV_STORE=etcd:HOST:PORT"
        try:
            _ = self.etcd
        except BadEtcdOptions as error:
            yield str(error)
        if "/" in self.instance_id or "," in self.instance_id:
            yield "WKUBE_POD_NAME: may hold neither a slash nor a comma"
        if self.type_constraints and self.type_constraints_path:
            yield "MM_TYPE_CONSTRAINTS and MM_TYPE_CONSTRAINTS_PATH: give one of the two"
        try:
            self.told_constraints()
        except BadTypeConstraints as error:
            yield from (f"MM_TYPE_CONSTRAINTS: {line}" for line in str(error).splitlines())

    def told_constraints(self) -> TypeConstraints:
        """Those of the variable. Raises `BadTypeConstraints`."""
        return TypeConstraints.parse(self.type_constraints) if self.type_constraints else NO_CONSTRAINTS
