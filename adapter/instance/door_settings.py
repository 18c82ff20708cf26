"""The settings of the doors: where they are, who may come in, and what nobody may do there.

Names are ModelMesh's where it has one (reference: ModelMesh core 2.8, 5; runtime adapter 9.1).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings

from adapter.domain.named import named
from adapter.http2.flow import Limits
from adapter.http2.frames import DEFAULT_FRAME_BYTES, DEFAULT_WINDOW, FRAME_BYTES_MAX, WINDOW_MAX
from adapter.servers.payload_uris import BadPayloadProcessors, parse_processors
from adapter.servers.rest_options import RestOptions
from adapter.servers.tls import BadTls, ClientTls, ServerTls, server_tls
from adapter.telemetry.metrics_options import BadMetricsOptions, MetricsOptions
from adapter.telemetry.request_log import BadRequestLogHeaders, RequestLogHeaders
from adapter.wire.dataplane import BadDataplaneConfig, DataplaneConfig

Port = Annotated[int, Field(ge=0, le=65535)]

_LIMITS = Limits()
_WINDOW = {"ge": DEFAULT_WINDOW, "le": WINDOW_MAX}


class DoorSettings(BaseSettings):
    """What the doors can be told."""

    grpc_port: Port = named(
        "MM_SVC_GRPC_PORT", "TAS_SVC_GRPC_PORT", default=8033, about="inference and management"
    )
    host: str = named("REMESH_HOST", default="0.0.0.0", about="address that the ports listen on")  # noqa: S104 - a pod is asked from outside
    grpc_socket: Path | None = named(
        "REMESH_GRPC_SOCKET_PATH", default=None, about="a unix socket that offers the same as that port"
    )
    rest_port: Annotated[Port | None, BeforeValidator(lambda given: None if given == "" else given)] = named(
        "REST_PROXY_LISTEN_PORT", default=8008, about="inference over REST; empty: none"
    )
    message_bytes_max: int = named(
        "MM_SVC_GRPC_MAX_MSG_SIZE", default=16_777_216, about="largest message, either way, in bytes", gt=0
    )
    headers_bytes_max: int = named(
        "MM_SVC_GRPC_MAX_HEADERS_SIZE", default=8192, about="largest header list, in bytes", gt=0
    )
    connection_age_s_max: int | None = named(
        "MM_SVC_GRPC_MAX_CONNECTION_AGE_SECS",
        default=None,
        about="connections are closed after so long",
        gt=0,
    )
    connection_age_grace_s: int | None = named(
        "MM_SVC_GRPC_MAX_CONNECTION_AGE_GRACE_SECS",
        default=None,
        about="what such a connection may still finish in",
        gt=0,
    )
    shutdown_timeout_ms: int = named(
        "SHUTDOWN_TIMEOUT_MS", default=30_000, about="calls in flight may finish for so long", ge=0
    )
    multi_parallelism: int = named(
        "MM_MULTI_PARALLELISM", default=4, about="models asked at once for a call that names several", ge=1
    )

    # Who may manage
    management_port: Port | None = named(
        "REMESH_MANAGEMENT_PORT",
        default=None,
        about="management answers here, and at no other port",
    )
    management_socket: Path | None = named(
        "REMESH_MANAGEMENT_SOCKET_PATH", default=None, about="or at this unix socket"
    )
    management_clients: str = named(
        "REMESH_MANAGEMENT_CLIENTS",
        default="",
        about="management answers only to client certificates with one of these names (comma-separated)",
    )

    # What may be called
    dataplane_config: str | None = named(
        "MM_DATAPLANE_CONFIG",
        default=None,
        about="JSON: which methods, and where in their messages the model's id is",
    )
    dataplane_config_path: Path | None = named(
        "MM_DATAPLANE_CONFIG_PATH", default=None, about="a file with the same; give one of the two"
    )

    # TLS
    tls_cert_path: Path | None = named(
        "MM_TLS_KEY_CERT_PATH",
        "MM_SVC_GRPC_CA_CERT_PATH",
        "TAS_SVC_GRPC_CA_CERT_PATH",
        default=None,
        about="PEM certificate chain of the ports",
    )
    tls_key_path: Path | None = named(
        "MM_TLS_PRIVATE_KEY_PATH",
        "MM_SVC_GRPC_PRIVATE_KEY_PATH",
        "TAS_SVC_GRPC_PRIVATE_KEY_PATH",
        default=None,
        about="its key; presence turns TLS on",
    )
    tls_key_passphrase: SecretStr = named(
        "MM_TLS_PRIVATE_KEY_PASSPHRASE",
        "MM_SVC_GRPC_PRIVATE_KEY_PASSPHRASE",
        default=SecretStr(""),
        about="the key's passphrase",
    )
    tls_client_auth: str = named(
        "MM_TLS_CLIENT_AUTH", default="NONE", about="client certificates: NONE, OPTIONAL or REQUIRE"
    )
    tls_trust_paths: str = named(
        "MM_TLS_TRUST_CERT_PATH", default="", about="comma-separated PEM files of who signs those"
    )
    runtime_tls_trust_paths: str = named(
        "REMESH_RUNTIME_TLS_TRUST_CERT_PATH",
        default="",
        about="inference goes to the runtime over TLS; PEM files of who signs its certificate",
    )

    # What is told
    metrics: str = named("MM_METRICS", default="", about="disabled, or prometheus:port=2112;scheme=https;...")
    info_metrics: str = named(
        "MM_INFO_METRICS", default="", about="name;label=VARIABLE,...: a gauge that tells these variables"
    )
    log_metrics_requests: bool = named("MM_LOG_PROMETHEUS_REQS", default=False, about="log each scrape")
    log_each_invoke: bool = named("MM_LOG_EACH_INVOKE", default=False, about="a line for each inference")
    log_request_headers: str = named(
        "MM_LOG_REQUEST_HEADERS", default="", about="JSON: header to log key, told in those lines"
    )
    payload_processors: SecretStr = named(
        "MM_PAYLOAD_PROCESSORS",
        default=SecretStr(""),
        about="space-separated URIs that requests and responses are sent to",
    )
    payload_processors_capacity: int = named(
        "MM_PAYLOAD_PROCESSORS_CAPACITY", default=64, about="payloads that may wait for each of them", gt=0
    )

    # Bounds of the relay
    streams_max: int = named(
        "REMESH_STREAMS_MAX", default=_LIMITS.streams_max, about="calls at once of one connection", gt=0
    )
    connections_max: int = named(
        "REMESH_CONNECTIONS_MAX", default=_LIMITS.connections_max, about="clients connected at once", gt=0
    )
    buffered_bytes_max: int = named(
        "REMESH_BUFFERED_BYTES_MAX",
        default=_LIMITS.buffered_bytes_max,
        about="bytes of all calls that may lie here",
        gt=0,
    )
    header_block_bytes_max: int = named(
        "REMESH_HEADER_BLOCK_BYTES_MAX",
        default=_LIMITS.header_block_bytes_max,
        about="bytes of one header block with its CONTINUATION frames",
        gt=0,
    )
    continuations_max: int = named(
        "REMESH_CONTINUATIONS_MAX",
        default=_LIMITS.continuations_max,
        about="CONTINUATION frames of one",
        gt=0,
    )
    pings_burst: int = named(
        "REMESH_PINGS_BURST",
        default=_LIMITS.pings_burst,
        about="PING frames at once, and a tenth of it again each second",
        gt=0,
    )
    settings_burst: int = named(
        "REMESH_SETTINGS_BURST", default=_LIMITS.settings_burst, about="likewise of SETTINGS frames", gt=0
    )
    resets_burst: int = named(
        "REMESH_RESETS_BURST", default=_LIMITS.resets_burst, about="likewise of RST_STREAM frames", gt=0
    )
    empty_frames_burst: int = named(
        "REMESH_EMPTY_FRAMES_BURST",
        default=_LIMITS.empty_frames_burst,
        about="likewise of frames that hold nothing",
        gt=0,
    )
    window_bytes: int = named(
        "REMESH_WINDOW_BYTES",
        default=_LIMITS.window_bytes,
        about="bytes of one call that may be on their way to us",
        **_WINDOW,
    )
    connection_window_bytes: int = named(
        "REMESH_CONNECTION_WINDOW_BYTES",
        default=_LIMITS.connection_window_bytes,
        about="bytes of one connection that may be",
        **_WINDOW,
    )
    frame_bytes_max: int = named(
        "REMESH_FRAME_BYTES_MAX",
        default=_LIMITS.frame_bytes_max,
        about="largest HTTP/2 frame",
        ge=DEFAULT_FRAME_BYTES,
        le=FRAME_BYTES_MAX,
    )
    stall_s_max: float = named(
        "REMESH_STALL_S_MAX", default=_LIMITS.stall_s_max, about="how long a reader may not read", gt=0
    )
    half_open_s_max: float = named(
        "REMESH_HALF_OPEN_S_MAX",
        default=_LIMITS.half_open_s_max,
        about="how long a client may take to send a message that must be here whole",
        gt=0,
    )
    handshake_s_max: float = named(
        "REMESH_HANDSHAKE_S_MAX", default=_LIMITS.handshake_s_max, about="to begin to speak HTTP/2", gt=0
    )
    idle_s_max: float = named(
        "REMESH_IDLE_S_MAX", default=_LIMITS.idle_s_max, about="how long a connection may be unused", gt=0
    )
    keepalive_s: float = named(
        "REMESH_KEEPALIVE_S", default=_LIMITS.keepalive_s, about="a client silent so long is pinged", gt=0
    )
    keepalive_timeout_s: float = named(
        "REMESH_KEEPALIVE_TIMEOUT_S", default=_LIMITS.keepalive_timeout_s, about="and must answer in", gt=0
    )
    waiting_calls_max: int = named(
        "REMESH_WAITING_CALLS_MAX",
        default=_LIMITS.waiting_calls_max,
        about="calls that wait for a stream to the runtime",
        gt=0,
    )
    upstream_connections_max: int = named(
        "REMESH_UPSTREAM_CONNECTIONS_MAX",
        default=_LIMITS.upstream_connections_max,
        about="connections to the runtime, opened as its streams are used up",
        gt=0,
    )

    @property
    def limits(self) -> Limits:
        """The bounds of the relay."""
        same = {name: getattr(self, name) for name in Limits.__dataclass_fields__ if name in self._fields()}
        return Limits(
            **same,
            header_list_bytes_max=self.headers_bytes_max,
            age_s_max=self.connection_age_s_max,
            age_grace_s=self.connection_age_grace_s,
        )

    @classmethod
    def _fields(cls) -> frozenset[str]:
        return frozenset(cls.model_fields)

    @property
    def rest_options(self) -> RestOptions:
        """The bounds of the REST door."""
        return RestOptions(
            body_bytes_max=self.message_bytes_max,
            headers_bytes_max=self.headers_bytes_max,
            connections_max=self.connections_max,
            stop_grace_s=self.shutdown_timeout_ms / 1e3,
        )

    @property
    def tls(self) -> ServerTls | None:
        """TLS of the ports; None: plaintext. Raises `BadTls`."""
        return server_tls(
            cert_path=self.tls_cert_path,
            key_path=self.tls_key_path,
            passphrase=self.tls_key_passphrase.get_secret_value(),
            client_auth=self.tls_client_auth,
            trust_paths=self.tls_trust_paths,
        )

    @property
    def runtime_tls(self) -> ClientTls | None:
        """TLS towards the runtime; None: plaintext."""
        paths = tuple(Path(path.strip()) for path in self.runtime_tls_trust_paths.split(",") if path.strip())
        return ClientTls(trust_paths=paths) if paths else None

    @property
    def management_apart(self) -> bool:
        """Management has an address of its own."""
        return self.management_port is not None or self.management_socket is not None

    @property
    def management_names(self) -> frozenset[str]:
        """Who may manage, by certificate; empty: whoever has none too."""
        return frozenset(name.strip() for name in self.management_clients.split(",") if name.strip())

    def door_complaints(self) -> Iterator[str]:
        """What is wrong with these settings, each with the variable's name."""
        if self.dataplane_config and self.dataplane_config_path:
            yield "MM_DATAPLANE_CONFIG and MM_DATAPLANE_CONFIG_PATH: give one of the two"
        try:
            DataplaneConfig.parse(self.dataplane_config or "{}")
        except BadDataplaneConfig as error:
            yield f"MM_DATAPLANE_CONFIG: {error}"
        yield from self._tls_complaints()
        try:
            MetricsOptions.parse(self.metrics)
        except BadMetricsOptions as error:
            yield str(error)
        try:
            RequestLogHeaders.parse(self.log_request_headers)
        except BadRequestLogHeaders as error:
            yield str(error)
        try:
            parse_processors(self.payload_processors.get_secret_value())
        except BadPayloadProcessors as error:
            yield from str(error).splitlines()

    def _tls_complaints(self) -> Iterator[str]:
        try:
            tls = self.tls
        except BadTls as error:
            yield from str(error).splitlines()
            return
        if self.management_names and (tls is None or not tls.asks_for_certificates):
            yield (
                "REMESH_MANAGEMENT_CLIENTS: needs client certificates; "
                "set MM_TLS_CLIENT_AUTH to OPTIONAL or REQUIRE"
            )
