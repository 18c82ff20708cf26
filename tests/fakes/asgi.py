"""An HTTP server without HTTP: it hands a request to an ASGI application, and keeps the answer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.servers.rest_app import RestApp, Scope
from adapter.servers.rest_body import Event


@dataclass(frozen=True, slots=True)
class Answered:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def a_scope(method: str, path: str, headers: Mapping[str, str]) -> Scope:
    raw_path, _, query = path.encode("ascii").partition(b"?")
    return {
        "type": "http",
        "method": method,
        "raw_path": raw_path,
        "query_string": query,
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "state": {},
    }


class Client:
    """One request after the other."""

    def __init__(self, app: RestApp) -> None:
        self._app = app

    async def get(self, path: str, **headers: str) -> Answered:
        return await self.ask("GET", path, headers=headers)

    async def post(self, path: str, content: object = b"", **headers: str) -> Answered:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return await self.ask("POST", path, [body], headers=headers)

    async def ask(
        self, method: str, path: str, pieces: Sequence[bytes] = (b"",), *, headers: Mapping[str, str]
    ) -> Answered:
        """Underscores in the names of headers stand for dashes; the body comes in these pieces."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        coming = list(pieces)
        told: list[Event] = []

        async def receive() -> Event:
            if not coming:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": coming.pop(0), "more_body": bool(coming)}

        async def send(event: Event) -> None:
            told.append(event)

        await self._app(a_scope(method, path, named), receive, send)
        start, body = told
        answered = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        assert answered["content-length"] == str(len(body["body"]))
        return Answered(start["status"], answered, body["body"])
