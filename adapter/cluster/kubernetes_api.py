"""One API server: who we are there, calls, and answers that go on. The one door to lightkube.

lightkube finds the server and the credentials (a kubeconfig, or the account of the pod), and opens the
connections. Its typed objects are not used, since objects stay the JSON that they are; nor is its watch,
which has no bookmarks, waits for a silent server for ever, and takes U+0085 for the end of a line.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import httpx2
import orjson
from lightkube.config.client_adapter import AsyncClient, ConnectionParams
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.core.exceptions import ConfigError

from adapter.cluster.cluster import ClusterRefused, ClusterUnavailable

CONNECT_S_MAX: Final = 5.0
ANSWER_S_MAX: Final = 35.0
"""Without a byte of an answer; the server itself lets a webhook have 30 s."""
CALL_S_MAX: Final = 70.0
"""For a whole call."""
LINE_BYTES_MAX: Final = 16 * 2**20
"""Of an answer that goes on; an object has at most a tenth of it."""
ERROR_CHARACTERS_MAX: Final = 2000

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"

_OK_MAX: Final = 299


class WentQuiet(ClusterUnavailable):
    """Nothing came for as long as was waited for."""


class ApiRefused(Exception):
    """The API server's answer is no, in its own words; whoever asked knows which error that is."""

    def __init__(self, text: str, *, status: int, subject: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        self.subject = subject
        """The plural of the kind that it speaks of; empty: it does not know the path at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where the API server is, and who we are there."""

    config: SingleConfig = field(repr=False)

    @classmethod
    def found(cls, *, kubeconfig: Path | None = None, context: str = "") -> Self:
        """By this file; else by the pod's account, `$KUBECONFIG`, `~/.kube/config`: the first there is.

        Raises `ClusterRefused` if there is nothing of use; `context` empty: the current one.
        """
        try:
            known = KubeConfig.from_file(kubeconfig) if kubeconfig else KubeConfig.from_env()
            config = known.get(context or None)
        except Exception as error:
            # Whatever a file of others makes YAML, msgspec and dictionaries raise.
            where = (
                f"`{kubeconfig}`" if kubeconfig else "the pod's account, `$KUBECONFIG` or `~/.kube/config`"
            )
            raise ClusterRefused(f"no access to a cluster by {where}: {_without_excerpt(error)}") from error
        assert config is not None, "only a default that we do not give could be that"
        return cls(config=config)

    @property
    def server(self) -> str:
        return self.config.cluster.server

    @property
    def namespace(self) -> str:
        """Meant where none is named."""
        return self.config.namespace


def _without_excerpt(error: Exception) -> str:
    """What is wrong with a file; YAML shows the place, indented, and that may be a secret."""
    if isinstance(error, KeyError):
        return f"no `{error.args[0]}` in it"
    return " ".join(line.strip() for line in str(error).splitlines() if not line.startswith("    "))


class KubernetesApi:
    """Calls to one API server. Use `connected`; belongs to the event loop in which it was made."""

    def __init__(self, account: Account, client: httpx2.AsyncClient) -> None:
        self.account = account
        self._client = client

    @classmethod
    @asynccontextmanager
    async def connected(cls, account: Account) -> AsyncIterator[Self]:
        """Within the block. Raises `ClusterRefused` if the credentials cannot be read."""
        timeout = httpx2.Timeout(ANSWER_S_MAX, connect=CONNECT_S_MAX)
        try:
            client = AsyncClient(account.config, ConnectionParams(timeout=timeout))
        except (ConfigError, OSError, ValueError, AssertionError) as error:
            raise ClusterRefused(f"the credentials for {account.server} cannot be used: {error}") from error
        async with client:
            yield cls(account, client)

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
    ) -> bytes:
        """The whole answer. Raises `ApiRefused` and `ClusterUnavailable`."""
        request = self._client.build_request(
            method,
            path,
            params=params,
            content=None if body is None else orjson.dumps(body),
            headers={"Accept": JSON} | ({} if body is None else {"Content-Type": content_type}),
        )
        async with self._translated(), asyncio.timeout(CALL_S_MAX):
            answer = await self._client.send(request)
            if answer.status_code > _OK_MAX:
                raise _refusal(answer.status_code, answer.content)
            return answer.content

    @asynccontextmanager
    async def lines(
        self, path: str, *, params: Mapping[str, str], quiet_s_max: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """An answer that goes on, line by line, within the block. Raises as `call` does.

        `WentQuiet` when nothing at all came for so long.
        """
        timeout = httpx2.Timeout(quiet_s_max, connect=CONNECT_S_MAX)
        request = self._client.build_request(
            "GET", path, params=params, headers={"Accept": JSON}, timeout=timeout
        )
        async with self._translated():
            answer = await self._client.send(request, stream=True)
            try:
                if answer.status_code > _OK_MAX:
                    raise _refusal(answer.status_code, await answer.aread())
                yield split_lines(answer.aiter_bytes())
            except httpx2.ReadTimeout as error:
                raise WentQuiet(f"the API server at {self.account.server} went quiet") from error
            finally:
                await answer.aclose()

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        try:
            yield
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:  # a TimeoutError too
            told = str(error) or type(error).__name__
            raise ClusterUnavailable(f"the API server at {self.account.server}: {told}") from error
        except (ConfigError, ValueError, LookupError) as error:
            # A token file that is away, a command that gives no token: the next call asks them again.
            raise ClusterUnavailable(f"no credentials for {self.account.server}: {error}") from error


async def split_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines, as they become whole. Raises `ClusterUnavailable` if one has no end."""
    begun = bytearray()
    async for chunk in chunks:
        first, *others = chunk.split(b"\n")
        begun += first
        if len(begun) > LINE_BYTES_MAX:
            raise ClusterUnavailable(f"the API server tells of something of more than {LINE_BYTES_MAX} bytes")
        for other in others:
            if begun:
                yield bytes(begun)
            begun = bytearray(other)


def _refusal(status: int, content: bytes) -> ApiRefused:
    """From a `Status`, or from whatever else stands in between us and the server."""
    try:
        told: Any = orjson.loads(content)
        details = told.get("details") or {}
        text, subject = str(told.get("message") or told.get("reason") or ""), str(details.get("kind") or "")
    except (ValueError, AttributeError):
        text, subject = content.decode(errors="replace").strip(), ""
    text = text[:ERROR_CHARACTERS_MAX] or f"HTTP status {status}"
    return ApiRefused(text, status=status, subject=subject)
