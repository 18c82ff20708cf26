"""What the REST door allows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RestOptions:
    """Limits of the REST door. ModelMesh's proxy has only the first (reference: runtime adapter 9.1)."""

    body_bytes_max: int = 16 * 1024 * 1024
    """Of a request, as it came and when unpacked; the same as a gRPC message may have."""
    bodies_bytes_max: int = 256 * 1024 * 1024
    """Of all requests that are being answered together."""
    headers_bytes_max: int = 8192
    """Of a request, with its first line."""
    connections_max: int = 4096
    """Open at once; each has one request at a time."""
    keep_alive_s: float = 60.0
    """How long a connection may be idle between two requests."""
    request_s_max: float = 60.0
    """How long a client may take to send a request, and to begin the first one of a connection."""
    answer_stall_s_max: float = 60.0
    """How long a client may take nothing of its answer."""
    compressed_bytes_min: int = 1024
    """Smaller answers are not worth compressing."""
    stop_grace_s: float = 30.0
    """How long requests in flight may take to end once the door closes."""
