"""Where the models of a namespace are reached in a Kubernetes cluster."""

from adapter.controller.config import ControllerConfig
from adapter.controller.verdicts import Served


def served_at(config: ControllerConfig, namespace: str) -> Served:
    """The Service's ports, the same for all models (reference: serving controller 5.5)."""
    host = f"{config.service_name}.{namespace}"
    scheme = "https" if config.tls.secret_name else "http"
    return Served(
        grpc_url=f"grpc://{host}:{config.service_port}",
        rest_url=f"{scheme}://{host}:{config.rest.port}" if config.rest.enabled else "",
    )
