"""Where payloads go: into the log, or by POST to a URL."""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import make_headers

from adapter.servers.payload_messages import Payload, body_of

log = logging.getLogger(__name__)

CONNECT_S_MAX = 2.0
ANSWER_S_MAX = 5.0
"""How long a processor may be silent; a payload that it does not take until then is lost."""
ANSWER_BYTES_MAX = 65_536
"""What is read of an answer, at once, so that the connection can be used again; nobody looks at it."""


class SinkFailed(Exception):
    """The payload was not taken. The text says why, and nothing of the URL."""


class Sink(Protocol):
    """What takes payloads, one after the other."""

    async def send(self, payload: Payload) -> None:
        """Show it; raises `SinkFailed`."""
        ...

    def close(self) -> None:
        """Nothing will be sent any more."""
        ...


class LogSink:
    """One line for each payload: what it is about, never what is in it."""

    async def send(self, payload: Payload) -> None:
        log.info(
            "payload",
            extra={
                "id": payload.id,
                "model": payload.model_id,
                "vmodel": payload.vmodel_id,
                "method": payload.method,
                "kind": payload.kind,
                "status": payload.status,
            },
        )

    def close(self) -> None:
        """There is nothing to let go."""


class HttpSink:
    """A POST for each payload, from a thread of its own: neither the wait nor the encoding is the loop's."""

    def __init__(self, url: str, credentials: str | None) -> None:
        self._url = url
        self._headers: Mapping[str, str] = {
            "content-type": "application/json",
            **(make_headers(basic_auth=credentials) if credentials else {}),
        }
        self._http = urllib3.PoolManager(
            num_pools=1,
            maxsize=1,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_S_MAX, read=ANSWER_S_MAX),
        )
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="payloads")

    async def send(self, payload: Payload) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._post, payload)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._http.clear()

    def _post(self, payload: Payload) -> None:
        length, body = body_of(payload)
        headers = {**self._headers, "content-length": str(length)}
        try:
            answer = self._http.request(
                "POST", self._url, body=body, headers=headers, redirect=False, preload_content=False
            )
            try:
                answer.read1(ANSWER_BYTES_MAX)
            finally:
                answer.close()  # the connection too, if there was more
        except (HTTPError, OSError, ValueError) as error:
            raise SinkFailed(type(error).__name__) from error
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's successes
            raise SinkFailed(f"status {answer.status}")
