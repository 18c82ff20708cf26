"""The answer to a request that is no gRPC: a line for those who look with a browser or `curl`."""

from typing import TYPE_CHECKING

from adapter.http2.flow import Exchange
from adapter.http2.header_blocks import encode_fields
from adapter.http2.request_head import RequestHead
from adapter.wire.grpc_messages import Chunk

if TYPE_CHECKING:
    from adapter.http2.server_side import ServerConnection

TEXT = b"Remesh answers gRPC here; REST has a port of its own.\n"


class Page(Exchange):
    """In the place of a `Call`, once the request has ended: a page at `/`, 404 and 415 elsewhere."""

    def __init__(self, connection: "ServerConnection", head: RequestHead) -> None:
        self._connection = connection
        self.head = head

    def request_data(self, chunk: Chunk, *, end: bool) -> None:
        """What comes is not looked at; the answer waits for the end."""
        self.request_bytes += len(chunk)
        stream, connection = self.client_stream, self._connection
        if not end:
            connection.taken(stream, len(chunk))
            return
        status, text = self._answer()
        fields = encode_fields(
            [
                (b":status", b"%d" % status),
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", b"%d" % len(text)),
            ]
        )
        bodyless = self.head.method == b"HEAD"
        connection.send_headers(stream, fields, end=bodyless)
        if not bodyless:
            connection.send_data(stream, text, end=True)

    def _answer(self) -> tuple[int, bytes]:
        if self.head.path != b"/":
            if self.head.method == b"POST":
                return 415, b"The content-type of gRPC is application/grpc.\n"
            return 404, b"There is nothing here but gRPC.\n"
        return 200, TEXT
