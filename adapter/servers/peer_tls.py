"""TLS between instances: with the key pair of the doors, each showing the other who it is.

Rules are ModelMesh's (reference: ModelMesh core 2.8, 5.5). Certificates are for a pod's name or a service's,
and pods are called by address, so the name is not checked; who signed them is. Without
`MM_INTERNAL_TRUST_CERTS` an instance trusts what it shows itself, since the pods of a deployment share one
secret; never this system's authorities, who sign anybody.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapter.servers.tls import HTTP2, BadTls, ClientAuth, ClientTls, ServerTls

_ROUNDS_MAX: Final = 10
"""Of a handshake; three are enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeersTls:
    """Both sides of a connection between instances."""

    server: ServerTls
    client: ClientTls

    def check(self) -> None:
        """See whether two instances with these files would trust each other. Blocks. Raises `BadTls`."""
        problem = _handshake(self.server.build(HTTP2), self.client.build(HTTP2))
        if problem is not None:
            pair = self.server.pair
            both = "servers and clients" if self.server.asks_for_certificates else "servers"
            raise BadTls(
                f"instances would not trust each other ({problem}): MM_INTERNAL_TRUST_CERTS must name who "
                f"signed {pair.cert_path}, and that must be a certificate for {both}; with "
                "MM_INTRACLUSTER_CLIENTAUTH=false it need not be one for clients, and with "
                "MM_ENABLE_SSL=false instances speak plaintext"
            ) from problem


def peers_tls(
    doors: ServerTls | None, *, enabled: bool = True, client_auth: bool = True, trust_paths: str = ""
) -> PeersTls | None:
    """What the settings ask for; None: plaintext. The files are not read yet.

    `doors` is the TLS of the ports for clients, `enabled` is MM_ENABLE_SSL, `client_auth` is
    MM_INTRACLUSTER_CLIENTAUTH, `trust_paths` the comma-separated files of MM_INTERNAL_TRUST_CERTS.
    """
    if doors is None or not enabled:
        return None
    trusted = tuple(Path(path.strip()) for path in trust_paths.split(",") if path.strip())
    trusted = trusted or (doors.pair.cert_path,)
    auth = ClientAuth.REQUIRE if client_auth else ClientAuth.NONE
    return PeersTls(
        server=ServerTls(pair=doors.pair, client_auth=auth, trust_paths=trusted),
        client=ClientTls(pair=doors.pair if client_auth else None, trust_paths=trusted, checks_name=False),
    )


def _handshake(serving: ssl.SSLContext, calling: ssl.SSLContext) -> ssl.SSLError | None:
    """What goes wrong in a handshake of these two."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    client = calling.wrap_bio(to_client, to_server)
    for _ in range(_ROUNDS_MAX):
        left = 0
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                left += 1
            except ssl.SSLError as error:
                return error
        if not left:
            break
    return None
