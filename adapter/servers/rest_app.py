"""The REST door as an ASGI application: a request becomes a call, and its answer an HTTP answer.

Everything takes the way of calls from outside (`servers.calls`), so a request over REST is found, loaded,
counted and limited as one over gRPC is. A client that goes away cancels its call, where the server tells
which connection a request came on (`rest_connection`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Protocol

from adapter.domain.errors import AdapterError
from adapter.servers import rest_repository, rest_v1, rest_v2
from adapter.servers.calls import UnaryCalls
from adapter.servers.rest_answers import (
    Header,
    HttpAnswer,
    Stopping,
    error_answer,
    unforeseen_answer,
    with_headers,
)
from adapter.servers.rest_body import Body, BodyBudget, Disconnected, Receive, compressed
from adapter.servers.rest_exchange import Exchange
from adapter.servers.rest_headers import RequestHeaders, read_headers
from adapter.servers.rest_options import RestOptions
from adapter.servers.rest_routes import Action, route

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Endpoint = Callable[[Exchange], Awaitable[HttpAnswer]]

CONNECTION_KEY = "connection"
"""Under this name of a request's `state` stands its `Answering`, if the server tells."""

_ENDPOINTS: Mapping[Action, Endpoint] = {
    Action.ALIVE: rest_v2.alive,
    Action.SERVER: rest_v2.server,
    Action.SERVER_LIVE: rest_v2.server_live,
    Action.SERVER_READY: rest_v2.server_ready,
    Action.NAMES: rest_repository.names,
    Action.METADATA: rest_v2.metadata,
    Action.MODEL_READY: rest_v2.model_ready,
    Action.INFER: rest_v2.infer,
    Action.INDEX: rest_repository.index,
    Action.LOAD: rest_repository.load,
    Action.UNLOAD: rest_repository.unload,
    Action.V1_READY: rest_v2.model_ready,
    Action.V1_PREDICT: rest_v1.predict,
    Action.V1_EXPLAIN: rest_v1.explain,
}


class Answering(Protocol):
    """A connection, which cancels this task if the client goes away."""

    answering: asyncio.Task[Any] | None


class RestApp:
    """The application; one for each server."""

    def __init__(self, calls: UnaryCalls, options: RestOptions, budget: BodyBudget | None = None) -> None:
        self._calls = calls
        self._options = options
        self._budget = budget or BodyBudget(options.bodies_bytes_max)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # nothing else is offered: no lifespan, no web sockets
        connection: Answering | None = scope.get("state", {}).get(CONNECTION_KEY)
        if connection is not None:
            connection.answering = asyncio.current_task()
        try:
            await self._exchange(scope, receive, send)
        except Disconnected:
            return
        except asyncio.CancelledError:
            # The client has gone, and hears nothing; or the server stops, and says so.
            await _send(send, error_answer(Stopping()), ())
        finally:
            if connection is not None:
                connection.answering = None

    async def _exchange(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = read_headers(scope["headers"])
        options = self._options
        body = Body(receive, headers, bytes_max=options.body_bytes_max, budget=self._budget)
        try:
            answer = await self._answer(scope, headers, body)
        finally:
            body.release()
        extra: list[Header] = []
        if not body.is_read and b"expect" in headers.told:
            extra.append((b"connection", b"close"))  # nobody can tell whether the body still comes
        accepted = headers.told.get(b"accept-encoding")
        if accepted is not None and len(answer.body) >= options.compressed_bytes_min:
            answer = await compressed(answer, accepted)
        await _send(send, answer, extra)

    async def _answer(self, scope: Scope, headers: RequestHeaders, body: Body) -> HttpAnswer:
        """The answer to a request, be it an error."""
        try:
            found = route(scope["method"], scope["raw_path"], scope["query_string"])
        except AdapterError as error:
            return error_answer(error)
        exchange = Exchange(found, headers, body, self._calls)
        try:
            answer = await _ENDPOINTS[found.action](exchange)
        except AdapterError as error:
            answer = error_answer(error)
        except Disconnected:
            raise
        except Exception:
            log.exception("a request failed unexpectedly", extra={"action": found.action.value})
            answer = unforeseen_answer()
        return with_headers(answer, exchange.metadata_headers)


async def _send(send: Send, answer: HttpAnswer, extra: Sequence[Header]) -> None:
    length = str(len(answer.body)).encode("ascii")
    headers = [*answer.headers, *extra, (b"content-length", length)]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
