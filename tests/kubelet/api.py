"""The API server, as a kubelet speaks with it: lists, watches and status patches over plain HTTP."""

import asyncio
import base64
import json
import logging
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

log = logging.getLogger(__name__)

Manifest = Mapping[str, Any]
Name = tuple[str, str]
"""Namespace and name."""

CALL_S_MAX = 15.0
WATCH_S = 240
"""After which a watch is begun anew."""
AGAIN_S = 0.3
"""The pause after a list or watch that failed."""
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"


class ApiRefused(Exception):
    """The API server says no; the text has its words."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(f"{code}: {words}")
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where it is and who asks; of a kubeconfig's current context."""

    url: str
    tls: ssl.SSLContext
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def host_and_port(self) -> tuple[str, int]:
        url = httpx.URL(self.url)
        return url.host, url.port or 443


def read_kubeconfig(path: Path) -> Access:
    """Raises `KeyError` or `StopIteration` for what is none."""
    told = yaml.safe_load(path.read_text())

    def named(kind: str, name: str) -> dict[str, Any]:
        entry = next(each for each in told[f"{kind}s"] if each["name"] == name)
        return dict(entry[kind])

    context = named("context", told["current-context"])
    cluster, user = named("cluster", context["cluster"]), named("user", context["user"])
    tls = ssl.create_default_context()
    if (authority := _content(cluster, "certificate-authority", path)) is not None:
        tls = ssl.create_default_context(cadata=authority.decode())
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    certificate, key = (_content(user, f"client-{each}", path) for each in ("certificate", "key"))
    if certificate is not None and key is not None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(key + b"\n" + certificate)
            file.flush()
            tls.load_cert_chain(file.name)
    headers = {"Authorization": f"Bearer {user['token']}"} if user.get("token") else {}
    return Access(url=cluster["server"], tls=tls, headers=headers)


def _content(told: Manifest, name: str, beside: Path) -> bytes | None:
    if data := told.get(f"{name}-data"):
        return base64.b64decode(data)
    return (beside.parent / told[name]).read_bytes() if told.get(name) else None


class Api:
    """Calls to it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, path: str) -> Manifest | None:
        """None: it is not there."""
        try:
            return await self._call("GET", path)
        except ApiRefused as refused:
            if refused.code == httpx.codes.NOT_FOUND:
                return None
            raise

    async def post(self, path: str, content: Manifest) -> Manifest:
        return await self._call("POST", path, content)

    async def put(self, path: str, content: Manifest) -> Manifest:
        return await self._call("PUT", path, content)

    async def patch(self, path: str, content: Manifest, *, how: str = STRATEGIC) -> Manifest:
        return await self._call("PATCH", path, content, how=how)

    async def delete(self, path: str, options: Manifest) -> None:
        await self._call("DELETE", path, options)

    async def _call(
        self, method: str, path: str, content: Manifest | None = None, *, how: str = "application/json"
    ) -> Manifest:
        """Raises `ApiRefused`, `httpx.HTTPError`."""
        body = None if content is None else json.dumps(content).encode()
        answer = await self._http.request(method, path, content=body, headers={"Content-Type": how})
        if answer.is_error:
            raise ApiRefused(answer.status_code, answer.text[:500])
        return dict(answer.json())

    async def watch(self, path: str, version: str, selector: str) -> AsyncIterator[tuple[str, Manifest]]:
        """Changes since this version, until the watch ends. Raises `ApiRefused`, `httpx.HTTPError`."""
        asked: dict[str, str | int] = {"watch": 1, "resourceVersion": version, "timeoutSeconds": WATCH_S}
        asked |= {"fieldSelector": selector} if selector else {}
        timeout = httpx.Timeout(CALL_S_MAX, read=WATCH_S + CALL_S_MAX)
        async with self._http.stream("GET", path, params=asked, timeout=timeout) as answer:
            if answer.is_error:
                raise ApiRefused(answer.status_code, (await answer.aread()).decode()[:500])
            async for line in answer.aiter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiRefused(event["object"].get("code", 500), event["object"].get("message", ""))
                yield event["type"], event["object"]

    async def list(self, path: str, selector: str) -> Manifest:
        return await self._call("GET", path + (f"?fieldSelector={selector}" if selector else ""))


@asynccontextmanager
async def connected(access: Access) -> AsyncIterator[Api]:
    """An API while inside."""
    async with AsyncExitStack() as stack:
        http = httpx.AsyncClient(
            base_url=access.url,
            verify=access.tls,
            headers=dict(access.headers),
            timeout=CALL_S_MAX,
            limits=httpx.Limits(max_connections=64),
            trust_env=False,
        )
        yield Api(await stack.enter_async_context(http))


class Followed:
    """All objects below a path, as they are now."""

    def __init__(self, path: str, *, selector: str = "") -> None:
        self.objects: dict[Name, Manifest] = {}
        self.known = asyncio.Event()
        """Set as soon as they have been listed."""
        self._path = path
        self._selector = selector
        self._told: list[Callable[[Name], None]] = []

    def on_change(self, tell: Callable[[Name], None]) -> None:
        """Call this whenever one has come, changed or gone."""
        self._told.append(tell)

    async def follow(self, api: Api) -> None:
        """Never ends; what the API server says no to, or a lost connection, is tried again."""
        while True:
            try:
                listed = await api.list(self._path, self._selector)
                self._replace([dict(each) for each in listed["items"]])
                self.known.set()
                version = listed["metadata"]["resourceVersion"]
                async for what, found in api.watch(self._path, version, self._selector):
                    self._take(what, found)
            except (ApiRefused, httpx.HTTPError, ValueError) as error:
                log.info("%s: listed again: %s", self._path, error or type(error).__name__)
                await asyncio.sleep(AGAIN_S)

    def _replace(self, objects: list[dict[str, Any]]) -> None:
        fresh = {_name(each): each for each in objects}
        changed = [
            name
            for name in self.objects.keys() | fresh.keys()
            if _version(self.objects.get(name)) != _version(fresh.get(name))
        ]
        self.objects = dict(fresh)
        for name in changed:
            self._tell(name)

    def _take(self, what: str, found: Manifest) -> None:
        name = _name(found)
        if what == "DELETED":
            self.objects.pop(name, None)
        else:
            self.objects[name] = found
        self._tell(name)

    def _tell(self, name: Name) -> None:
        for tell in self._told:
            tell(name)


def _name(found: Manifest) -> Name:
    return found["metadata"].get("namespace", ""), found["metadata"]["name"]


def _version(found: Manifest | None) -> str | None:
    return str(found["metadata"]["resourceVersion"]) if found else None
