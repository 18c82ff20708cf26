"""The door of the webhooks over TLS."""

import asyncio
import ssl
import time

from adapter.servers.admission import admission_serving
from adapter.servers.listening import bound
from adapter.servers.self_signed import Issued, Presented, issue

DAY_S = 86_400.0
ASK = b"POST /ask HTTP/1.1\r\nHost: webhook\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def issued() -> Issued:
    return issue(["webhook.ns.svc"], now_s=time.time(), valid_s=DAY_S)


async def asked(port: int, authority: bytes) -> bytes:
    trusted = ssl.create_default_context(cadata=authority.decode())
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=trusted, server_hostname="webhook.ns.svc"
    )
    writer.write(ASK)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_reviews_are_answered_over_tls_also_after_the_certificate_is_renewed() -> None:
    first, second = issued(), issued()
    presented = Presented(first.certificate, first.key)
    serving = admission_serving(
        {"/ask": lambda _: {"yes": True}}, bound("127.0.0.1", 0), tls=presented.context
    )
    async with serving as port:
        assert (await asked(port, first.authority)).endswith(b'{"yes":true}')
        presented.replace(second.certificate, second.key)
        assert (await asked(port, second.authority)).endswith(b'{"yes":true}')
